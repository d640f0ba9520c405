"""Every checked-in report is what its slim store gives: no number is typed by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.commands.inputs import load_studies
from raysl.commands.report import report_input
from raysl.reports.markdown import render_markdown
from raysl.reports.table import build_table
from raysl.reports.tidy import render_csv
from raysl.results import open as open_store

PROJECT = Path(__file__).resolve().parents[2]
REPORTS = sorted((PROJECT / "reports").rglob("store"))
SCALE = "laptop"


def study(store: Path) -> str:
    """``cvrl/ucf101_5class`` of ``reports/cvrl/ucf101_5class/store``."""
    return store.parent.relative_to(PROJECT / "reports").as_posix()


@pytest.mark.parametrize("store", REPORTS, ids=lambda store: study(store))
def test_a_report_regenerates_from_its_store(store: Path) -> None:
    (planned,) = load_studies([PROJECT / "search_spaces" / f"{study(store)}.yaml"], SCALE, [])
    table = build_table(report_input(planned, open_store(store), store_link="store"))
    assert (store.parent / "table.md").read_text() == render_markdown(table)
    assert (store.parent / "table.csv").read_text() == render_csv(table)


def test_there_is_a_report() -> None:
    assert REPORTS
