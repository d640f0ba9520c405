"""Whole studies on folders of one's own, without Ray."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl import results
from raysl.commands.inputs import load_studies
from raysl.commands.report import report_input
from raysl.commands.run import check_roots
from raysl.config.cells import Cell, unique_cells
from raysl.data.places import Places
from raysl.errors import ConfigError, DataError
from raysl.reports import build_table, render_markdown
from raysl.results import StoredCell
from raysl.work.compute import compute_cell
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

FOLDS = """
title: "Each person left out once"
base: recipe
datasets:
  mine: {name: folder, split: leave_one_group_out, folds: 2, group: '^(.)'}
  other: {name: folder}
data: mine
rows: {random: {pretraining: none}, plain: {}}
baseline: random
seeds: [0]
evaluations: [retrieval/mine, retrieval/other]
"""


def small_folder(root: Path, names: tuple[str, str], seed: int) -> Path:
    """Two classes of four videos, of the persons a and b."""
    for label, name in enumerate(names):
        for number, clip in enumerate(("a1", "a2", "b1", "b2")):
            write_video(root / name / f"{clip}.mp4", moving_square(16, 40, 48, seed=seed + 10 * label + number))
    return root


def compute(cells: list[Cell], folder: Path, places: Places) -> list[StoredCell]:
    """Every cell in this process, on data that it has read itself."""
    site = site_here(cells, results.open(folder / "store"), places)
    for cell in cells:
        assert compute_cell(cell, site, lambda stage, progress: None) is None
    return [site.shelf.find(cell) for cell in cells]


def paths_of(found: StoredCell, label: str) -> list[str]:
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


def test_a_row_on_folds_is_the_mean_of_its_parts(tmp_path: Path) -> None:
    given = {
        "mine": small_folder(tmp_path / "a", ("run", "walk"), seed=0),
        "other": small_folder(tmp_path / "b", ("jump", "sit"), seed=100),
    }
    study = write_study(tmp_path, FOLDS, SHORT)
    planned = load_studies([study], None, [])
    cells = planned[0].cells
    assert [(cell.title, len(cell.evaluations)) for cell in cells] == [
        ("study/random/seed0", 3),
        ("study/plain/seed0/fold1", 2),
        ("study/plain/seed0/fold2", 2),
    ]
    places = Places.find(given, tmp_path / "cache")
    site = site_here(unique_cells(cells), results.open(tmp_path / "store"), places)
    for cell, trained, left_out in ((cells[1], "b", "a"), (cells[2], "a", "b")):
        catalog = site.open(cell.config.data, 32).catalog
        assert {video.group for video in catalog.split("train")} == {trained}
        assert site.open(cell.evaluations[0].data, 32).catalog == catalog
        assert {video.group for video in catalog.split("test")} == {left_out}
    random, *folds = compute(unique_cells(cells), tmp_path, places)

    table = build_table(report_input(planned[0], site.shelf))
    trained_row = table.rows[1]
    mine, other = trained_row.entries
    assert table.test_videos == {"retrieval/mine": (8,), "retrieval/other": (2,)}
    for entry, label in ((mine, "retrieval/mine"), (other, "retrieval/other")):
        values = [
            one.record["metrics"]["R@1"]
            for fold in folds
            for one in fold.evaluations
            if one.label == label and one.record
        ]
        assert len(values) == 2
        assert list(entry.sample.values) == [pytest.approx(sum(values) / 2)]
        assert entry.difference is not None
        assert entry.difference.videos is not None
    assert [one.label for one in random.evaluations] == ["retrieval/mine", "retrieval/mine", "retrieval/other"]
    text = render_markdown(table)
    assert "0, fold 2" in text
    assert "On folds the value at a seed is the mean over the folds" in text


def test_a_part_that_is_missing_is_a_hole_that_names_it(tmp_path: Path) -> None:
    root = small_folder(tmp_path / "a", ("run", "walk"), seed=0)
    study = write_study(
        tmp_path, FOLDS.replace(", retrieval/other]", "]").replace("  other: {name: folder}\n", ""), SHORT
    )
    planned = load_studies([study], None, [])
    site = site_here(
        planned[0].cells, results.open(tmp_path / "store"), Places.find({"mine": root}, tmp_path / "cache")
    )
    for cell in planned[0].cells[:2]:
        assert compute_cell(cell, site, lambda stage, progress: None) is None
    (entry,) = build_table(report_input(planned[0], site.shelf)).rows[1].entries
    assert entry.holes == ("seed 0: missing: fold 2 of 2",)


def test_a_row_that_would_test_on_what_it_learned_names_file_and_row(tmp_path: Path) -> None:
    study = write_study(tmp_path, FOLDS.replace("plain: {}", "plain: {data.folds: 3}"))
    with pytest.raises(ConfigError, match=r"study\.yaml: rows\.plain: evaluation retrieval/mine: it would test on"):
        load_studies([study], None, [])


def test_lists_that_cannot_be_read_are_said_before_anything_runs(tmp_path: Path) -> None:
    small_folder(tmp_path / "a", ("run", "walk"), seed=0)
    text = FOLDS.replace("folds: 2", "folds: 4").replace("  other: {name: folder}", "  other: {name: synthetic}")
    (planned,) = load_studies([write_study(tmp_path, text, SHORT)], None, [])
    store, places = results.open(tmp_path / "store"), Places.find({"mine": tmp_path / "a"}, tmp_path / "cache")
    with pytest.raises(DataError, match=r"`folds` is 4, and `group` '\^\(\.\)' names 2 groups: set `folds: 2`"):
        check_roots(unique_cells(planned.cells), store, places)
    (planned,) = load_studies([write_study(tmp_path, text.replace("folds: 4", "folds: 2"), SHORT)], None, [])
    assert check_roots(unique_cells(planned.cells), store, places), "both are to be read"
    assert not (tmp_path / "cache").exists(), "nothing is rendered or decoded for it"
