"""docs/reading-a-report.md says what the statistics do."""

from __future__ import annotations

import pytest

from raysl.reports.markdown import DECIDED, OPEN
from raysl.reports.over_videos import LEAST_RECORDINGS
from raysl.reports.statistics import CONFIDENCE, LEAST_SEEDS, LEVEL, PERCENT, describe
from raysl.reports.text import HOLE, sample_text
from tests.docs.blocks import ROOT

PAGE = (ROOT / "docs" / "reading-a-report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("values", [[61.0, 64.5, 66.0], [98.0, 99.5, 92.0], [61.0, 64.5], [37.3, 37.3, 37.3], []])
def test_values_are_written_as_it_says(values: list[float]) -> None:
    assert f"| `{sample_text(describe(values, PERCENT))}` |" in PAGE


def test_signs_and_limits_are_those_of_the_code() -> None:
    assert f"- **{DECIDED}**: decided" in PAGE
    assert f"- **{OPEN}**: not decided" in PAGE
    assert f"| `{HOLE}` | no value" in PAGE
    assert (LEAST_SEEDS, LEAST_RECORDINGS, LEVEL, CONFIDENCE) == (3, 6, 0.05, 0.95)
    assert "below three seeds" in PAGE
    assert "fewer than six recordings" in PAGE


def test_motion_maps_retrieve_as_it_says() -> None:
    """Better than every self-supervised row of the table that it shows."""
    lines = (ROOT / "reports/taco/ucf101_5class/laptop/table.md").read_text(encoding="utf-8").splitlines()
    rows = [[word.strip() for word in line.split("|")] for line in lines if line.startswith("| ")]
    of = {
        row[1].strip("*"): float(row[4].split()[0]) for row in rows[1:] if len(row) == 7 and row[1] != "-" * len(row[1])
    }
    others = [value for name, value in of.items() if name not in {"supervised", "motion maps, nothing learned"}]
    assert len(others) == 8
    assert of["motion maps, nothing learned"] > max(others)
