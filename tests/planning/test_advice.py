"""What a plan says of rows that are allowed and may not be meant."""

from __future__ import annotations

from dataclasses import replace

from raysl.planning.advice import advice_lines
from raysl.planning.plan import PlannedCell
from tests.config.test_terms import windowed


def test_one_line_for_equal_advice_with_every_row_once() -> None:
    cold = windowed({"objective.local_local": {"temperature": 0.01}})
    cells = [PlannedCell("study", row, seed, "id", cold, ()) for row in ("cold", "again") for seed in (0, 1)]
    warm = replace(cells[0], row="warm", cell=windowed({"objective.local_local": {}}))
    (line,) = advice_lines([*cells, warm])
    assert line.startswith("note: study/cold; study/again: a temporal loss")
