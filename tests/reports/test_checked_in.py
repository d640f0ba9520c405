"""Every checked-in report is what its slim store gives: no number is typed by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from raysl.commands.inputs import load_studies
from raysl.commands.report import report_input
from raysl.commands.searches import with_known_best
from raysl.reports.markdown import render_markdown
from raysl.reports.searched import render_trials
from raysl.reports.table import build_table
from raysl.reports.tidy import render_csv
from raysl.results import Shelf
from raysl.results import open as open_store

PROJECT = Path(__file__).resolve().parents[2]
REPORTS = sorted((PROJECT / "reports").rglob("store"))


def report(store: Path) -> str:
    """``cvrl/ucf101_5class/laptop`` of ``reports/cvrl/ucf101_5class/laptop/store``, and below ``reports/gpu/CARD``."""
    parts = store.parent.relative_to(PROJECT / "reports").parts
    return "/".join(parts[2:] if parts[0] == "gpu" else parts)


@pytest.mark.parametrize("store", REPORTS, ids=lambda store: report(store))
def test_a_report_regenerates_from_its_store(store: Path) -> None:
    text = (store.parent / "table.md").read_text()
    scale = re.search(r"Scale: (\w+)\.", text)
    assert scale is not None
    name = report(store) if scale[1] == "paper" else report(store).removesuffix(f"/{scale[1]}")
    path = PROJECT / "search_spaces" / f"{name}.yaml"
    shelf = Shelf(open_store(store))
    (planned,) = with_known_best(load_studies([path], scale[1], []), shelf)
    assert planned.study.report_name == report(store), "where raysl report writes it"
    table = build_table(report_input(planned, shelf, store_link="store"))
    assert text == render_markdown(table)
    assert (store.parent / "table.csv").read_text() == render_csv(table)
    if table.source.searched is not None:
        assert (store.parent / "trials.csv").read_text() == render_trials(table.source.searched)


def test_there_is_a_report() -> None:
    assert REPORTS
