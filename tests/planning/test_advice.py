"""What a plan says of rows that are allowed and may not be meant."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from raysl.commands.inputs import load_studies
from raysl.commands.plan import print_advice
from raysl.commands.terminal import PlainConsole
from raysl.config.cells import Cell
from raysl.data.places import Places
from raysl.planning.advice import advice_lines
from raysl.planning.plan_study import with_seed
from tests.config.test_terms import windowed
from tests.planning.studies import write_study


def test_one_line_for_equal_advice_with_every_row_once() -> None:
    cold = windowed({"objective.local_local": {"temperature": 0.01}})
    cells = [Cell(with_seed(cold, seed), study="study", row=row) for row in ("cold", "again") for seed in (0, 1)]
    warm = replace(cells[0], row="warm", config=windowed({"objective.local_local": {}}))
    (line,) = advice_lines([*cells, warm])
    assert line.startswith("note: study/cold; study/again: a temporal loss")


COLUMNS = """
title: "Few classes"
base: recipe
datasets: {few: {name: synthetic, classes: 5}, many: {name: synthetic, classes: 6}}
rows: {plain: {}, warm: {objective.contrastive.temperature: 0.5}}
seeds: [0]
evaluations: [linear/few, linear/many, retrieval/few, linear/folder]
columns: ["linear/few:top1", "linear/few:top5", "linear/many:top5", "retrieval/few:R@5", "linear/folder:top5"]
"""


def test_a_column_that_data_has_too_few_classes_for_is_said_before_training(tmp_path: Path) -> None:
    (planned,) = load_studies([write_study(tmp_path, COLUMNS)], None, [])
    places = Places({"folder": tmp_path / "folder"}, tmp_path / "cache")
    out = io.StringIO()
    print_advice([planned], places, PlainConsole(file=out, width=300))
    (line,) = [line for line in out.getvalue().splitlines() if "column" in line]
    assert line.startswith(
        "note: study: column linear/few:top5 will be empty in all rows: data set 'few' has 5 classes"
    )
    for name in "abc":
        (tmp_path / "folder" / name).mkdir(parents=True)
        for number in range(2):
            (tmp_path / "folder" / name / f"{number}.mp4").write_bytes(b"not decoded for it")
    print_advice([planned], places, PlainConsole(file=out, width=300))
    assert "column linear/folder:top5 will be empty in all rows: data set 'folder' has 3 classes" in out.getvalue()
