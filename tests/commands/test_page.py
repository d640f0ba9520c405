"""``raysl report --html``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from raysl.commands.inputs import load_studies
from raysl.results.place import place
from tests.commands.stored import stored
from tests.conftest import empty_folder
from tests.planning.studies import STUDY, write_study
from tests.test_cli import raysl


@pytest.fixture
def studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two studies, and a store that lacks a cell of the second."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAYSL_CONFIG_HOME", str(tmp_path))
    paths = [
        write_study(tmp_path / "search_spaces", STUDY, name="one"),
        write_study(
            tmp_path / "search_spaces", STUDY.replace("A test", "<b>other</b>").replace("0.5", "0.7"), name="two"
        ),
    ]
    store = stored(load_studies(paths, None, []), "results")
    (cell,) = [one for one in load_studies(paths, None, [])[1].cells if (one.row, one.seed) == ("warm", 1)]
    folder = store.named(f"{cell.id}-data0000")
    folder.reopen()
    folder.mark_failed("the loss is nan", {})
    return paths


@pytest.mark.slow
def test_one_page_of_several_studies(studies: list[Path]) -> None:
    done = raysl("report", "search_spaces", "--html", "out/page.html")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(rf"written: {Path.cwd()}/out/page.html \(\d\.\d MB\)\n", done.stdout)
    assert not Path("reports").exists(), "only what was asked for"
    text = Path("out/page.html").read_text(encoding="utf-8")
    assert str(Path.cwd()) not in text, "no place of this machine"
    assert text.count("data-svg=") >= 4, "each study's figures"
    for said in (
        "A test",
        "&lt;b&gt;other&lt;/b&gt;",
        "failed: the loss is nan",
        "raysl run search_spaces/two.yaml --storage again",
        "torchrun --nproc-per-node 2 -m raysl.training results/cells/",
        "run &lt;fast&gt;",
        "objective.contrastive.temperature",
        "1 unreadable training video(s) left out or replaced",
    ):
        assert said in text, said


@pytest.mark.slow
def test_with_a_format_the_reports_are_written_too(studies: list[Path]) -> None:
    done = raysl("report", studies[0], "--html", "page.html", "--format", "md")
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in Path("reports/one").iterdir()] == ["table.md"]
    assert Path("page.html").is_file()


@pytest.mark.slow
def test_a_page_beside_each_table(studies: list[Path]) -> None:
    done = raysl("report", *studies, "--format", "html")
    assert (done.returncode, done.stderr) == (0, "")
    for name, other in (("one", "two"), ("two", "one")):
        assert [path.name for path in Path("reports", name).iterdir()] == ["index.html"]
        text = Path("reports", name, "index.html").read_text(encoding="utf-8")
        assert f"search_spaces/{name}.yaml" in text
        assert f"search_spaces/{other}.yaml" not in text


@pytest.mark.slow
def test_the_page_says_how_its_study_was_given(studies: list[Path]) -> None:
    given = ("--set", "training.steps=5", "--html", "page.html")
    assert raysl("report", studies[0], *given).returncode == 0
    assert "raysl run search_spaces/one.yaml --set training.steps=5 --storage again" in Path("page.html").read_text()


@pytest.mark.parametrize("file", ["", ".", "out/", "s3://bucket"])
def test_a_page_needs_a_file(file: str, studies: list[Path]) -> None:
    Path("out").mkdir()
    done = raysl("report", studies[0], "--html", file)
    assert done.returncode == 2
    assert f"--html {file}: give a file, for instance page.html" in done.stderr


def test_a_page_that_cannot_be_written(studies: list[Path]) -> None:
    Path("file").write_text("")
    done = raysl("report", studies[0], "--html", "file/page.html")
    assert done.returncode == 1
    assert "give another file" in done.stderr or "--html" in done.stderr


@pytest.mark.slow
def test_a_page_in_a_bucket(studies: list[Path], s3_address: str) -> None:
    folder = empty_folder("s3", s3_address)
    done = raysl("report", studies[0], "--html", folder.replace("?", "/page.html?", 1))
    assert (done.returncode, done.stderr) == (0, "")
    assert (place(folder).read("page.html") or b"").startswith(b"<!doctype html>")
