"""What a plan says of rows that are allowed and may not be meant."""

from __future__ import annotations

from dataclasses import replace

from raysl.config.cells import Cell
from raysl.planning.advice import advice_lines
from raysl.planning.plan_study import with_seed
from tests.config.test_terms import windowed


def test_one_line_for_equal_advice_with_every_row_once() -> None:
    cold = windowed({"objective.local_local": {"temperature": 0.01}})
    cells = [Cell(with_seed(cold, seed), study="study", row=row) for row in ("cold", "again") for seed in (0, 1)]
    warm = replace(cells[0], row="warm", config=windowed({"objective.local_local": {}}))
    (line,) = advice_lines([*cells, warm])
    assert line.startswith("note: study/cold; study/again: a temporal loss")
