"""What is said of a study whose cells are in the store at another scale."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from raysl import results
from raysl.commands.elsewhere import print_elsewhere
from raysl.commands.inputs import load_studies
from raysl.commands.terminal import PlainConsole
from raysl.results import Store
from tests.commands.stored import stored
from tests.planning.studies import write_study


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "scales").mkdir()
    (tmp_path / "scales" / "half.yaml").write_text("multiply: {training.steps: {by: 0.5}}\nset: {clip.size: 16}\n")
    monkeypatch.chdir(tmp_path)
    return write_study(tmp_path).relative_to(tmp_path)


def said(study: Path, store: Store, scale: str | None = None, *overrides: str) -> str:
    out = io.StringIO()
    print_elsewhere(load_studies([study], scale, list(overrides)), store, PlainConsole(file=out))
    return out.getvalue()


def test_cells_of_another_scale_are_named_with_what_shows_them(study: Path, tmp_path: Path) -> None:
    store = stored(load_studies([study], "half", []), tmp_path / "store")
    assert said(study, store) == (
        "no cell of study is in the store at scale paper; 4 of 4 are of study.yaml --scale half\n"
    )
    assert said(study, store, "half", "training.batch_size=4") == (
        "no cell of study is in the store at scale half with this --set; 4 of 4 are of study.yaml --scale half\n"
    )


def test_nothing_is_said_of_a_study_that_has_a_cell_there_nor_of_an_empty_store(study: Path, tmp_path: Path) -> None:
    planned = load_studies([study], None, [])
    stored(load_studies([study], "half", []), tmp_path / "store")
    cells = planned[0].cells[2:3]
    store = stored([type(planned[0])(planned[0].study, cells)], tmp_path / "store")
    assert said(study, store) == ""
    assert said(study, results.open(tmp_path / "empty")) == ""
