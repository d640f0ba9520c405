"""Whole studies on folders of one's own, without Ray."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl import results
from raysl.config.cells import Cell
from raysl.data.places import Places
from raysl.results import Found
from raysl.work.cell import compute_cell
from tests.data.rendered import moving_square, write_video
from tests.planning.studies import RECIPE, write_study
from tests.work.plans import plan_file, site_here

pytestmark = pytest.mark.slow

SHORT = RECIPE.replace("{steps: 4, batch_size: 8}", "{steps: 1, batch_size: 4}")
TWO = """
title: "Pretrain on one folder, evaluate on another"
base: recipe
datasets: {first: {name: folder}, second: {name: folder}}
data: first
rows: {first: {}, second: {data: second}}
seeds: [0]
evaluations: [retrieval/second, retrieval/first]
"""


def small_folder(root: Path, names: tuple[str, str], seed: int) -> Path:
    """Two classes of four videos, of the persons a and b."""
    for label, name in enumerate(names):
        for number, clip in enumerate(("a1", "a2", "b1", "b2")):
            write_video(root / name / f"{clip}.mp4", moving_square(16, 40, 48, seed=seed + 10 * label + number))
    return root


def compute(cells: list[Cell], folder: Path, places: Places) -> list[Found]:
    """Every cell in this process, on data that it has read itself."""
    site = site_here(cells, results.open(folder / "store"), places)
    for cell in cells:
        assert compute_cell(cell, site, lambda stage, progress: None) is None
    return [site.shelf.find(cell) for cell in cells]


def paths_of(found: Found, label: str) -> list[str]:
    """Paths of the test videos of an evaluation."""
    (one,) = [one for one in found.evaluations if one.label == label]
    assert found.folder is not None
    assert one.name is not None
    predictions = found.folder.predictions(one.name)
    assert predictions is not None
    return sorted(predictions["path"])


def test_pretrained_on_one_folder_and_evaluated_on_another(tmp_path: Path) -> None:
    given = {
        "first": small_folder(tmp_path / "a", ("run", "walk"), seed=0),
        "second": small_folder(tmp_path / "b", ("jump", "sit"), seed=100),
    }
    cells = plan_file(write_study(tmp_path, TWO, SHORT))
    first, second = compute(cells, tmp_path, Places.find(given, tmp_path / "cache"))
    assert (first.verdict, second.verdict) == ("done", "done")
    assert first.cell.id == second.cell.id
    assert first.folder is not None
    assert second.folder is not None
    assert first.folder.name != second.folder.name, "one id on two data sets"
    for found in (first, second):
        assert {path.split("/")[0] for path in paths_of(found, "retrieval/first")} == {"run", "walk"}
        assert {path.split("/")[0] for path in paths_of(found, "retrieval/second")} == {"jump", "sit"}
    provenances = [found.folder.provenance() if found.folder else None for found in (first, second)]
    assert [(one or {})["data"]["name"] for one in provenances] == ["first", "second"]
