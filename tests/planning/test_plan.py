"""Rows times seeds, and equal cells of all studies computed once."""

from __future__ import annotations

from pathlib import Path

from raysl.config.identity import cell_id, resolved
from raysl.data.manifest_types import Manifest, ManifestRow
from raysl.planning.locate import Locator
from raysl.planning.manifests import data_hash, manifest_key, needed_data, save_manifest, stored_manifest
from raysl.planning.plan import plan_study, unique_work
from raysl.planning.study import load_study
from raysl.results import open as open_store
from tests.planning.studies import STUDY, write_study


def test_cells_are_rows_times_seeds_and_seeds_differ_in_nothing_else(tmp_path: Path) -> None:
    cells = plan_study(load_study(write_study(tmp_path)))
    assert [(cell.row, cell.seed) for cell in cells] == [
        (row, seed) for row in ("random", "plain", "warm") for seed in (0, 1)
    ]
    assert len({cell.id for cell in cells}) == 6
    first, second = cells[2].cell, cells[3].cell
    same = second.model_copy(update={"training": second.training.model_copy(update={"seed": 0})})
    assert cell_id(same) == cell_id(first)


def test_random_rows_of_two_studies_are_one_cell(tmp_path: Path) -> None:
    one = plan_study(load_study(write_study(tmp_path)))
    text = STUDY.replace("temperature: 0.5", "temperature: 0.7").replace(
        "plain: {}", "plain: {optimizer.weight_decay: 0.5}"
    )
    other = plan_study(load_study(write_study(tmp_path, text, name="other")))
    work = unique_work([*one, *other])
    assert len(one) + len(other) == 12
    assert len(work) == 10, "two seeds of random weights are shared"
    shared = [item for item in work if len(item.asked_by) == 2]
    assert {cell.study for item in shared for cell in item.asked_by} == {"study", "other"}
    assert {item.cell.pretraining for item in shared} == {"none"}


def test_two_rows_that_mean_one_cell_are_computed_once_with_all_their_evaluations(tmp_path: Path) -> None:
    text = STUDY.replace("warm: {objective.contrastive.temperature: 0.5}", "again: {evaluation.linear.c: 0.5}")
    work = unique_work(plan_study(load_study(write_study(tmp_path, text))))
    assert len(work) == 4
    plain = next(item for item in work if item.asked_by[0].row == "plain")
    assert [cell.row for cell in plain.asked_by] == ["plain", "again"]
    assert len(plain.evaluations) == 3, "two linear probes that differ, and one retrieval"


def manifest(lengths: list[int]) -> Manifest:
    rows = (
        ManifestRow(f"{index}.mp4", frames, frames, (0,), 40, 48, 25.0, f"f{index}", True)
        for index, frames in enumerate(lengths)
    )
    return Manifest("synthetic", tuple(rows))


def test_a_stored_manifest_places_cells_without_the_data(tmp_path: Path) -> None:
    work = unique_work(plan_study(load_study(write_study(tmp_path))))
    store = open_store(tmp_path / "store")
    trained = next(item for item in work if item.cell.pretraining != "none")
    assert Locator(store).folder(trained) is None, "no data was ever read"
    known = manifest([24, 25])
    save_manifest(store, trained.cell.data, known)
    assert stored_manifest(store, trained.cell.data) == known
    assert Locator(store).folder(trained) == f"{trained.id}-{known.hash}"
    random = next(item for item in work if item.cell.pretraining == "none")
    assert Locator(store).folder(random) == f"{random.id}-none"
    evaluation = next(iter(trained.evaluations.values()))
    assert Locator(store).evaluation(evaluation) == f"{evaluation.id}-{known.hash}"
    assert data_hash(trained, {manifest_key(trained.cell.data): known}) == known.hash


def test_a_cell_trained_without_a_run_is_found_by_its_id(tmp_path: Path) -> None:
    work = unique_work(plan_study(load_study(write_study(tmp_path))))
    store = open_store(tmp_path / "store")
    trained = next(item for item in work if item.cell.pretraining != "none")
    store.folder(trained.id, "0123abcd").write_config(resolved(trained.cell))
    assert Locator(store).folder(trained) == f"{trained.id}-0123abcd"
    store.folder(trained.id, "4567abcd").write_config(resolved(trained.cell))
    assert Locator(store).folder(trained) is None, "two data sets: it cannot be told which is meant"


def test_a_video_of_another_length_is_another_result(tmp_path: Path) -> None:
    assert manifest([24, 25]).hash != manifest([24, 24]).hash
    work = unique_work(plan_study(load_study(write_study(tmp_path))))
    assert len(needed_data(work)) == 1, "pretraining and both evaluations read one data set at one size"
