"""Every checked-in report is what its slim store gives: no number is typed by hand."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from raysl.commands.check import print_check, report_at
from raysl.commands.terminal import PlainConsole
from raysl.results.place import place

PROJECT = Path(__file__).resolve().parents[2]
REPORTS = sorted(store.parent for store in (PROJECT / "reports").rglob("store"))


@pytest.mark.parametrize("folder", REPORTS, ids=lambda folder: folder.relative_to(PROJECT / "reports").as_posix())
def test_a_report_regenerates_from_its_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``raysl report --check`` says it of all of them."""
    monkeypatch.chdir(PROJECT)
    report = report_at(place(folder), folder.relative_to(PROJECT / "reports").parts)
    out = io.StringIO()
    assert print_check(report, PlainConsole(file=out)) == 0, out.getvalue()


def test_there_is_a_report() -> None:
    assert REPORTS
