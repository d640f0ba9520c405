"""Which work is one shape, and where measurements are kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from raysl.data.places import Places
from raysl.errors import ConfigError, DataError
from raysl.planning.calibration import (
    Calibration,
    Machine,
    Measurement,
    calibration_here,
    device_of,
    find_calibration,
    forward_shape,
    known_machines,
    loading_shape,
    of_one_worker,
    training_shape,
)
from tests.cells import tiny_cell

CPU = torch.device("cpu")
VIEWS = ("query", "key")


def step_key(change: dict[str, Any] | None = None, threads: int | None = None) -> str:
    return training_shape(of_one_worker(tiny_cell(change), threads)).key


@pytest.mark.parametrize(
    "change",
    [
        {"training.seed": 7},
        {"training.steps": 400},
        {"schedule.warmup_steps": 2},
        {"objective.contrastive.temperature": 0.3},
        {"optimizer.learning_rate.value": 1e-2},
        {"clip.stride": 1},
        {"augment": {"name": "none"}},
        {"data.train_per_class": 8},
    ],
)
def test_what_takes_the_same_time_is_one_shape(change: dict[str, Any]) -> None:
    assert step_key(change) == step_key()


@pytest.mark.parametrize(
    "change",
    [
        {"backbone.width": 0.125},
        {"backbone": "r2plus1d_18"},
        {"clip.frames": 8},
        {"clip.size": 16},
        {"training.batch_size": 4},
        {"training.workers": 2},
        {"training.precision": "auto"},
        {"training.threads": 2},
        {"objective.contrastive": {"framework": "moco", "queue_size": 16}},
        {"objective.pretext": {"rotation": {}}},
        {"optimizer": {"name": "sgd", "learning_rate": {"value": 1e-3, "at_batch": 8}}},
        {"pretraining": "supervised"},
    ],
)
def test_what_takes_another_time_is_another_shape(change: dict[str, Any]) -> None:
    assert step_key(change) != step_key()


def test_the_share_of_a_worker_is_what_is_measured() -> None:
    two = of_one_worker(tiny_cell({"training.workers": 2, "training.loader_workers": 3}), None)
    assert (two.training.batch_size, two.training.workers, two.training.threads) == (4, 1, 4)
    assert of_one_worker(tiny_cell(), 2).training.threads == 2
    assert of_one_worker(tiny_cell({"training.threads": 3}), 2).training.threads == 3
    grouped = {"batch_norm_group": 8, "training.workers": 2}
    assert of_one_worker(tiny_cell(grouped), None).batch_norm_group == "batch", "no group fits into the share"
    assert of_one_worker(tiny_cell({**grouped, "batch_norm_group": 2}), None).batch_norm_group == 2


def test_loading_is_measured_by_what_is_loaded() -> None:
    def key(change: dict[str, Any] | None = None, views: tuple[str, ...] = VIEWS) -> str:
        return loading_shape(of_one_worker(tiny_cell(change), None), views).key

    assert key({"training.batch_size": 4, "backbone.width": 0.125, "objective.contrastive.temperature": 1.0}) == key()
    for change in ({"clip.stride": 1}, {"data.frames": 30}, {"augment": {"name": "none"}}, {"clip.resize": 40}):
        assert key(change) != key(), change
    assert key(views=("query",)) != key()


def test_a_forward_pass_is_measured_by_its_clips() -> None:
    def key(clips: int = 5, change: dict[str, Any] | None = None) -> str:
        cell = of_one_worker(tiny_cell(change), None)
        return forward_shape(cell, cell.data, cell.clip, clips).key

    assert key(change={"training.batch_size": 4}) == key()
    assert key(10) != key()
    assert key(change={"backbone.width": 0.125}) != key()


def test_measurements_are_kept_by_machine_and_shape(tmp_path: Path) -> None:
    shape = training_shape(of_one_worker(tiny_cell(), None))
    here = Calibration(tmp_path, Machine.here(CPU))
    assert known_machines(tmp_path) == []
    assert here.get(shape) is None
    here.put(shape, Measurement({"training": 0.25, "setup": 1.0}, "a note", disturbed=True))
    again = Calibration(tmp_path, Machine.here(CPU)).get(shape)
    assert again == Measurement({"training": 0.25, "setup": 1.0}, "a note", disturbed=True)
    other = Calibration(tmp_path, replace(here.machine, pytorch="0.1"))
    assert other.get(shape) is None
    assert known_machines(tmp_path) == [here.machine]


def test_a_file_that_was_cut_short_is_named(tmp_path: Path) -> None:
    shape = training_shape(of_one_worker(tiny_cell(), None))
    kept = Calibration(tmp_path, Machine.here(CPU))
    kept.put(shape, Measurement({"training": 0.25}))
    (file,) = tmp_path.rglob("*.json")
    file.write_text(file.read_text()[:-20])
    with pytest.raises(DataError, match=rf"{file.name}: cannot be read .* run raysl calibrate again"):
        Calibration(tmp_path, kept.machine).get(shape)


def test_the_machine_is_this_one_or_the_only_one_or_named(tmp_path: Path) -> None:
    places, shape = Places({}, tmp_path), training_shape(of_one_worker(tiny_cell(), None))
    here = calibration_here(places, CPU)
    assert find_calibration(places, CPU) == here, "nothing was measured anywhere"
    cards = [Machine("Xeon", (), 16, f"NVIDIA {name}", "2.15.0") for name in ("H100", "A100")]
    Calibration(here.folder, cards[0]).put(shape, Measurement({"training": 0.01}))
    found = find_calibration(places, CPU)
    assert (found.machine, found.is_here) == (cards[0], False)
    Calibration(here.folder, cards[1]).put(shape, Measurement({"training": 0.02}))
    assert find_calibration(places, CPU).machine == here.machine, "which of two others is meant is not guessed"
    assert find_calibration(places, CPU, "a100").machine == cards[1]
    with pytest.raises(ConfigError, match=r"--hardware nvidia: 2 machines .* NVIDIA A100"):
        find_calibration(places, CPU, "nvidia")
    here.put(shape, Measurement({"training": 0.5}))
    assert find_calibration(places, CPU).machine == here.machine


def test_a_device_that_is_not_there_is_refused() -> None:
    assert device_of("cpu") == CPU
    with pytest.raises(ConfigError, match="choose one of auto, cpu, gpu"):
        device_of("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="sees no GPU"):
            device_of("gpu")
