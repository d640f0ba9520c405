"""That the report's statistics hold their promises: what is checked in, and a smaller simulation of our own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "benchmarks"))

import statistics_hold  # noqa: E402

CHECKED_IN = (PROJECT / "reports" / "statistics_hold" / "table.md").read_text(encoding="utf-8")


def lines(text: str, head: tuple[str, ...]) -> list[dict[str, str]]:
    """The lines of the table with these headings."""
    block = next(block for block in text.split("\n\n") if block.replace(" ", "").startswith("|" + _joined(head)))
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in block.splitlines()[2:]]
    return [dict(zip(head, row, strict=True)) for row in rows]


def _joined(head: tuple[str, ...]) -> str:
    return "|".join(head).replace(" ", "")


def check(text: str, error: float) -> None:
    """Coverage within 94 to 96 %, false positives at most 5 %, beside what simulating so few tables adds."""
    seeds = lines(text, statistics_hold.SEEDS_HEAD)
    assert {row["seeds"] for row in seeds} == {"3", "5", "10"}
    for row in seeds:
        assert float(row["decided"]) <= 5 + error, row
        if not row["numbers"].startswith("one training"):
            for name in ("coverage, mean", "coverage, difference"):
                assert 94 - error <= float(row[name]) <= 96 + error, row
            assert float(row["any"]) > 30, "which is why p-values are corrected"
    for row in lines(text, statistics_hold.VIDEOS_HEAD):
        assert float(row["flip recordings"]) <= 5 + error, row
        assert 94 - error <= float(row["coverage"]) <= 96 + error, row
        if row["drawn for each"] == "recording":
            assert float(row["flip clips"]) > 8 - error, "clips of one recording are not independent"
        else:
            assert float(row["flip clips"]) <= 5 + error, row


def test_what_is_checked_in_holds() -> None:
    assert "10000 simulated tables a line, seed 0" in CHECKED_IN
    check(CHECKED_IN, error=0.45)


@pytest.mark.slow
def test_other_draws_hold_too() -> None:
    """Of 600 tables a rate of 5 % is met within three standard errors of 2.7."""
    check(statistics_hold.render(600, seed=1), error=2.7)
