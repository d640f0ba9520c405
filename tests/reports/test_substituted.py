"""A study's columns and its published table at a scale that puts another data set in the place of its own."""

from __future__ import annotations

from pathlib import Path

from raysl.commands.inputs import load_studies
from raysl.commands.report import report_input
from raysl.reports import build_table, render_markdown
from raysl.results import Shelf
from raysl.results import open as open_store
from tests.planning.studies import RECIPE, STUDY, write_study

PUBLISHED = """
columns: ["linear/ucf101:top1"]
reproduces: cvrl_t6
published:
  rows: {plain: {hidden_layers: 3}, warm: {hidden_layers: 0}}
  columns: {"linear/ucf101:top1": top1}
"""


def test_published_numbers_stand_beside_the_substituted_column(tmp_path: Path) -> None:
    (tmp_path / "scales").mkdir()
    (tmp_path / "scales" / "small.yaml").write_text("substitute: {ucf101: tiny}\n")
    recipe = RECIPE.replace(RECIPE.split("\n")[1], "data: ucf101") + "datasets: {tiny: {name: synthetic, classes: 2}}\n"
    text = STUDY.replace("linear/synthetic, retrieval/synthetic", "linear/ucf101") + PUBLISHED
    (planned,) = load_studies([write_study(tmp_path, text, recipe)], "small", [])
    source = report_input(planned, Shelf(open_store(tmp_path / "store")))
    assert [column.key for column in source.columns] == ["linear/tiny:top1"]
    assert source.published is not None
    assert source.published.number("plain", source.columns[0]) == 63.8
    lines = render_markdown(build_table(source)).splitlines()
    assert any(line.startswith("| plain ") and "63.8" in line for line in lines)
