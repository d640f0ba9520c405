"""``raysl report --check``."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from raysl.commands.inputs import load_studies
from tests.commands.stored import stored
from tests.conftest import empty_folder
from tests.planning.studies import STUDY, write_study
from tests.test_cli import raysl


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a study, its report, and the store that this is made from beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAYSL_CONFIG_HOME", str(tmp_path))
    study = write_study(tmp_path / "search_spaces" / "mine", STUDY)
    stored(load_studies([study], None, []), tmp_path / "reports" / "mine" / "study" / "store")
    assert raysl("report", study, "--storage", "reports/mine/study/store", "--format", "md,csv").returncode == 0
    return tmp_path


def test_reports_are_checked_against_the_stores_beside_them(project: Path) -> None:
    (project / "reports" / "typed").mkdir()
    (project / "reports" / "typed" / "table.md").write_text("by hand")
    before = {path: path.stat().st_mtime_ns for path in project.rglob("*")}
    done = raysl("report", "--check")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{project}/reports/mine/study: as its store gives it: table.md, table.csv",
        f"{project}/reports/typed: not checked, since there is no store/ beside its table",
    ]
    assert raysl("report", "search_spaces", "--check").returncode == 0, "of studies that are named"
    assert {path: path.stat().st_mtime_ns for path in project.rglob("*")} == before, "nothing is written"


def test_a_report_of_a_shipped_study_is_checked_outside_a_clone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAYSL_CONFIG_HOME", str(tmp_path))
    store = "reports/cstp/variants/store"
    stored(load_studies([Path("cstp/variants")], None, []), tmp_path / store)
    made = raysl("report", "cstp/variants", "--storage", store, "--format", "md,csv")
    assert made.returncode == 0, made.stderr
    done = raysl("report", "--check")
    assert (done.returncode, done.stderr) == (0, "")
    assert "reports/cstp/variants: as its store gives it: table.md, table.csv" in done.stdout


def test_what_differs_is_named_with_its_first_line(project: Path) -> None:
    folder = project / "reports" / "mine" / "study"
    text = (folder / "table.md").read_text()
    (folder / "table.md").write_text(text.replace("| plain  |", "| plain! |", 1))
    (folder / "table.csv").unlink()
    (folder / "trials.csv").write_text("number\n")
    done = raysl("report", "--check")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    number = 1 + next(i for i, line in enumerate(text.splitlines()) if line.startswith("| plain  |"))
    assert lines[0] == f"{folder}: differs"
    assert lines[1] == f"  {folder}/table.md: differs first in line {number}"
    assert lines[2].strip().startswith("written:   | plain! |")
    assert lines[3].strip().startswith("the store: | plain  |")
    assert lines[4:] == [
        f"  {folder}/table.csv: missing; raysl report writes it",
        f"  {folder}/trials.csv: the store gives no such table; remove it",
    ]


def test_a_table_that_ends_early_differs_where_it_ends(project: Path) -> None:
    table = project / "reports" / "mine" / "study" / "table.csv"
    content = table.read_bytes()
    table.write_bytes(content[: content.index(b"\n") + 1])
    said = raysl("report", "--check").stdout
    assert "table.csv: differs first in line 2" in said
    assert "the store: row,random," in said


def test_a_report_of_no_study_is_an_error(project: Path) -> None:
    shutil.move(project / "reports" / "mine", project / "reports" / "yours")
    done = raysl("report", "--check")
    assert done.returncode == 2
    assert "reports/yours/study: no study below search_spaces/ is reported to a folder of this name" in done.stderr


def test_nothing_to_check_is_an_error(project: Path) -> None:
    shutil.rmtree(project / "reports")
    assert "there is no report with a store/ beside its table" in raysl("report", "--check").stderr
    assert "no study is given" in raysl("report").stderr
    assert "--storage is of studies" in raysl("report", "--check", "--storage", "x").stderr


@pytest.mark.slow
def test_reports_and_stores_in_a_bucket(project: Path, s3_address: str) -> None:
    bucket = empty_folder("s3", s3_address)
    reports, store = (bucket.replace("?", f"/{name}?", 1) for name in ("reports", "reports/mine/study/store"))
    study = project / "search_spaces" / "mine" / "study.yaml"
    stored(load_studies([study], None, []), store)
    given = ("--reports", reports, "--storage", store)
    assert raysl("report", study, *given, "--format", "md,csv").returncode == 0
    assert raysl("report", study, *given, "--check").returncode == 0
    done = raysl("report", "--check", "--reports", reports)
    assert (done.returncode, done.stderr) == (0, "")
    assert "/mine/study: as its store gives it: table.md, table.csv" in done.stdout
