"""What cells are said to cost: counts against real runs, times against measurements that are given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from raysl import results
from raysl.config.cells import Cell, unique_cells
from raysl.config.evaluation import EvaluationConfig
from raysl.data.places import Places
from raysl.data.snapshot import data_key
from raysl.data.source import open_source
from raysl.planning.calibration import Calibration, Kind, Machine, Measurement
from raysl.planning.cost import (
    Estimates,
    KnownData,
    cache_bytes,
    cell_cost,
    checkpoint_bytes,
    distinct_shapes,
    objective_on_meta,
    wall_seconds,
)
from raysl.results import Shelf
from raysl.training.checkpoint import read_checkpoint
from raysl.training.pretrain import pretrain
from tests.cells import TINY_BACKBONE, tiny_cell, tiny_evaluation
from tests.training.material import final, folder_of
from tests.training.material import tiny_cell as smallest

THREE_EPOCHS = {"training.steps": None, "training.epochs": 3}
LINEAR = tiny_evaluation("linear")
LOOKS = "looks at the features"
TUNED = tiny_evaluation("finetune", epochs=3, batch_size=8, clips=2)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """Where the videos of `tiny_cell` were read."""
    found = Places({}, tmp_path_factory.mktemp("cost"), cache_gigabytes=0.1)
    open_source(tiny_cell().data, found, resize=32)
    return found


def measured(folder: Path, cost_cells: list[Cell], places: Places) -> Calibration:
    """A calibration in which every number is another one."""
    calibration = Calibration(folder, Machine.here(torch.device("cpu")))
    for number, shape in enumerate(distinct_shapes(cell_cost(cell, KnownData(places)) for cell in cost_cells), 1):
        also = {"setup": 100.0, "save": 10.0} if shape.kind == "training" else {}
        calibration.put(shape, Measurement({shape.kind: float(number), **also}))
    return calibration


def test_steps_and_clips_are_those_of_the_training(places: Places) -> None:
    cell = tiny_cell(THREE_EPOCHS)
    cost = cell_cost(Cell(cell), KnownData(places))
    assert (cost.steps, cost.clips, cost.workers) == (6, 6 * 8 * 2, 1)
    one = cell_cost(Cell(tiny_cell({"pretraining": "none"})), KnownData(places))
    assert (one.steps, one.clips, one.parts) == (0, 0, ())


def test_data_that_is_listed_but_not_read_is_counted_by_its_list(tmp_path: Path) -> None:
    cell = tiny_cell(THREE_EPOCHS)
    data = KnownData(Places({}, tmp_path))
    assert cell_cost(Cell(cell), data).steps == 6
    assert not data.is_decoded(cell.data, 32)
    assert cache_bytes([(cell.data, 32)], data) == (0, ["synthetic"])
    assert not list(tmp_path.rglob("*")), "nothing is rendered, read or written"


def test_data_that_is_not_here_is_counted_as_the_store_has_it(tmp_path: Path, places: Places) -> None:
    cell, store = tiny_cell(THREE_EPOCHS), results.open(tmp_path / "store")
    store.save_snapshot(open_source(cell.data, places, resize=32).snapshot, data_key(cell.data))
    data = KnownData(Places({}, tmp_path / "cache"), store)
    assert data.is_decoded(cell.data, 32)
    assert cell_cost(Cell(cell), data).steps == 6


def test_data_that_is_not_here_leaves_epochs_unknown(tmp_path: Path) -> None:
    data = KnownData(Places({}, tmp_path))
    there = {"data": "ucf101/1"}
    cost = cell_cost(Cell(tiny_cell(there | THREE_EPOCHS)), data)
    assert (cost.steps, cost.clips, cost.parts) == (None, None, ())
    assert "'ucf101' is not here: give its --root" in cost.unknown[0]
    assert cost.stored, "weights do not depend on the data"
    bank = {"objective.contrastive": {"framework": "instdisc", "negatives": 8}}
    assert cell_cost(Cell(tiny_cell(there | THREE_EPOCHS | bank)), data).stored is None, "a row for each video"
    cost = cell_cost(Cell(tiny_cell(there | {"training.steps": 5})), data)
    assert (cost.steps, cost.unknown) == (5, ())
    assert "loading of clips" in cost.left_out[0]
    assert cost.parts[0].loading is None


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "lars"])
def test_a_checkpoint_has_the_bytes_that_are_said(optimizer: str, tmp_path: Path) -> None:
    cell = smallest(
        **{
            "training.steps": 1,
            "optimizer": {"name": optimizer, "learning_rate": {"value": 1e-3, "at_batch": 4}},
            "objective.contrastive": {"framework": "moco", "queue_size": 4096},
        }
    )
    source = open_source(cell.data, Places({}, tmp_path / "cache"), resize=cell.clip.resize)
    folder = folder_of(tmp_path / "store", cell, source)
    pretrain(cell, folder, source)
    said = checkpoint_bytes(cell, objective_on_meta(cell, 16))
    checkpoint = final(folder, cell)
    state = [value for one in checkpoint.optimizer["state"].values() for value in one.values()]
    tensors = [
        *checkpoint.model.values(),
        *(value for value in state if isinstance(value, torch.Tensor) and value.dim()),
    ]
    assert said == sum(value.nbytes for value in tensors)
    assert read_checkpoint(folder.final_checkpoint() or b"", checkpoint.cell).step == 1


def test_frames_take_what_the_cache_holds(places: Places) -> None:
    files = list((places.cache / "frames").rglob("*.u8"))
    assert files
    bytes_, unread = cache_bytes([(tiny_cell().data, 32), (tiny_cell().data, 32)], KnownData(places))
    assert (bytes_, unread) == (sum(file.stat().st_size for file in files), [])


def test_a_cell_takes_the_sum_of_its_parts(places: Places, tmp_path: Path) -> None:
    cell = Cell(tiny_cell(THREE_EPOCHS), (LINEAR, TUNED))
    cost, calibration = cell_cost(cell, KnownData(places)), measured(tmp_path, unique_cells([cell]), places)
    shown = {(part.what, part.shape.kind): part for part in cost.parts}
    numbers = {shape.kind + shape.title: i for i, shape in enumerate(distinct_shapes([cost]), 1)}

    def one(part_of: tuple[str, Kind]) -> float:
        part = shown[part_of]
        return float(numbers[part.shape.kind + part.shape.title])

    pretraining = shown["pretraining", "training"]
    assert pretraining.loading is not None
    load = float(numbers[pretraining.loading.kind + pretraining.loading.title])
    six_steps = 6 * (one(("pretraining", "training")) + 8 * load)
    assert pretraining.seconds(calibration) == six_steps + 100 + 3 * 10, "three epochs, a checkpoint after each"
    assert shown["linear/synthetic", "forward"].times == 16 + 8
    assert shown["linear/synthetic", "fit"].times == 16
    assert cost.seconds(calibration) == sum(part.seconds(calibration) or 0 for part in cost.parts)
    (behind,) = unique_cells([cell])[1:]
    tuned = {(part.what, part.shape.kind): part for part in cell_cost(behind, KnownData(places)).parts}
    assert tuned.keys() == {("fine-tuning", "training"), ("finetune/synthetic", "forward")}
    assert (tuned["fine-tuning", "training"].times, tuned["fine-tuning", "training"].saves) == (6, 3)
    assert tuned["finetune/synthetic", "forward"].times == 8
    missing = Calibration(tmp_path, replace(calibration.machine, pytorch="0.1"))
    assert cost.seconds(missing) is None


def test_loader_processes_work_beside_the_steps(places: Places, tmp_path: Path) -> None:
    for processes, expected in ((1, 8 * 2.0), (4, 8 * 2.0 / 4), (64, 1.0)):
        cell = Cell(
            tiny_cell({"training.loader_workers": processes, "training.steps": 1, "training.monitor.points": 0})
        )
        cost, calibration = cell_cost(cell, KnownData(places)), measured(tmp_path, [cell], places)
        found = cost.seconds(calibration)
        assert found == expected + 110, "a step takes 1 s, a video 2 s in one process"


def test_processes_that_choose_themselves_count_as_none_until_they_have(places: Places, tmp_path: Path) -> None:
    cell = Cell(tiny_cell({"training.steps": 1, "training.monitor.points": 0}))
    cost, calibration = cell_cost(cell, KnownData(places)), measured(tmp_path, [cell], places)
    assert cost.seconds(calibration) == 1.0 + 8 * 2.0 + 110
    assert cost.hidden_seconds(calibration) == 8 * 2.0, "all loading, of which 64 processes make less than a step"
    assert cost.loaded_by(4).seconds(calibration) == 8 * 2.0 / 4 + 110
    assert cost.loaded_by(4).hidden_seconds(calibration) == 0.0


def test_evaluations_on_the_same_features_read_them_once(places: Places) -> None:
    both = cell_cost(Cell(tiny_cell(), (LINEAR, tiny_evaluation("retrieval"))), KnownData(places))
    forward = [part for part in both.parts if part.shape.kind == "forward"]
    assert [part.what for part in forward] == ["linear/synthetic, retrieval/synthetic", LOOKS]
    assert sum(part.shape.kind == "fit" for part in both.parts) == 2


def test_looks_while_it_trains_are_counted(places: Places) -> None:
    def looks(*evaluations: EvaluationConfig, **changes: object) -> list[tuple[int, int]]:
        change = {name.replace("__", "."): value for name, value in changes.items()}
        parts = cell_cost(Cell(tiny_cell(change), evaluations), KnownData(places)).parts
        return [(part.shape.clips, part.times) for part in parts if part.what == LOOKS]

    assert looks() == [(1, 4 * 16)], "four looks at all 16 training videos"
    assert looks(training__monitor__points=2, training__monitor__videos=5) == [(1, 10)]
    assert looks(training__workers=4) == [(1, 16)]
    assert looks(LINEAR) == [(5, 13)], "one of the evaluation's five clips of a video"
    assert looks(training__monitor__points=0) == looks(pretraining="supervised") == []


def test_what_a_store_holds_is_free(places: Places, tmp_path: Path) -> None:
    cell = Cell(tiny_cell({"pretraining": "none", "backbone": TINY_BACKBONE}), (LINEAR,))
    estimates = Estimates(KnownData(places))
    store = results.open(tmp_path)
    found = Shelf(store).find(cell)
    assert estimates.of_missing(found).stored
    pretrain(cell.config, store.folder(cell.id, "none"), None)
    left = estimates.of_missing(Shelf(store).find(cell))
    assert left.stored == 0
    assert [part.shape.kind for part in left.parts] == ["fit", "forward"], "the evaluation is still to be made"


def test_what_the_data_cannot_fill_has_no_estimate(places: Places) -> None:
    negatives = {"objective.contrastive": {"framework": "instdisc", "negatives": 32}}
    for change in ({"training.batch_size": 64}, negatives):
        cost = cell_cost(Cell(tiny_cell(change)), KnownData(places))
        assert (cost.parts, cost.steps) == ((), None)
        assert cost.unknown[0].startswith("pretraining: ")


def test_seeds_are_counted_once(places: Places) -> None:
    estimates = Estimates(KnownData(places))
    one, other = (Cell(tiny_cell({"training.seed": seed})) for seed in (0, 1))
    assert estimates.of(one).parts is estimates.of(other).parts
    assert estimates.of(other).cell is other
    slower = Cell(tiny_cell({"training.loader_workers": 1}))
    assert estimates.of(slower).parts != estimates.of(one).parts, "what enters no id may change the time"


def test_cells_beside_each_other_end_when_the_last_does() -> None:
    assert wall_seconds([1, 1, 1, 1], 2) == 2
    assert wall_seconds([1, 1, 1, 9], 2) == 10, "in their order: the long one comes last"
    assert wall_seconds([9, 1, 1, 1], 2) == 9
    assert wall_seconds([5], 8) == 5
    assert wall_seconds([], 3) == 0
