"""`raysl results`: the page of what is checked in, and documents that quote reports."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest

from raysl.commands.results import READING, write_results
from raysl.commands.terminal import PlainConsole
from raysl.errors import ConfigError

PROJECT = Path(__file__).resolve().parents[2]
PAGE = Path("docs/results.md")


def test_the_page_and_the_quotations_that_are_checked_in_are_those_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    out = io.StringIO()
    documents = [Path("README.md"), Path("docs")]
    assert write_results(Path("reports"), PAGE, documents, PlainConsole(file=out), check=True), out.getvalue()


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one report, its study, and a document that quotes the report."""
    report = Path("reports") / "ucf101_5class" / "laptop"
    shutil.copytree(PROJECT / report, tmp_path / report, ignore=shutil.ignore_patterns("figures", "index.html"))
    (tmp_path / "search_spaces").symlink_to(PROJECT / "search_spaces")
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(f"See\n\n<!-- from: table {report.as_posix()} --><!-- /from -->\n")
    monkeypatch.chdir(tmp_path)
    return report


def written(*, check: bool = False) -> bool:
    return write_results(Path("reports"), PAGE, [Path("README.md"), Path("docs")], PlainConsole(), check=check)


def test_what_is_written_is_what_is_checked(copied: Path) -> None:
    assert not written(check=True)
    assert not PAGE.exists()
    assert written()
    page, readme = PAGE.read_text(), Path("README.md").read_text()
    line = next(line for line in (copied / "table.md").read_text().splitlines() if line.startswith("| SimCLR "))
    assert line in page
    assert line in readme
    assert "raysl run search_spaces/ucf101_5class.yaml --scale laptop --root ucf101_5class=FOLDER" in page
    assert "Commit: 9c778fa9b2" in page
    assert "193 test clips of 35 recordings" in page
    assert written(check=True)
    Path("README.md").write_text(readme.replace("67.7", "77.6"))
    assert not written(check=True)


def test_a_sentence_takes_its_figures_from_the_table(copied: Path) -> None:
    (copied / READING).write_text("Random weights have {random | linear | mean}.\n")
    written()
    assert "**Reading.** Random weights have 67.4.\n" in PAGE.read_text()
    (copied / READING).write_text("Random weights have {randon | linear | mean}.\n")
    with pytest.raises(ConfigError, match=r"reading.md: .randon.*did you mean 'random'"):
        written()


def test_no_report_and_no_such_report_are_errors(copied: Path) -> None:
    with pytest.raises(ConfigError, match="there is no report with a store/"):
        write_results(Path("docs"), PAGE, [], PlainConsole(), check=False)
    Path("README.md").write_text("<!-- from: table reports/other --><!-- /from -->")
    with pytest.raises(ConfigError, match="in reports/other; there are reports/ucf101_5class/laptop"):
        written()
