"""Every kind of work is really done; how long it took is not asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from raysl.config.cells import Cell, unique_cells
from raysl.data.places import Places
from raysl.planning.calibration import Shape
from raysl.planning.cost import KnownData, cell_cost, distinct_shapes
from raysl.work import calibrate as calibrating
from raysl.work.calibrate import calibrate, drawn_videos, is_disturbed, sampled
from tests.cells import TINY_BACKBONE, tiny_cell, tiny_evaluation

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer repetitions, of the same work."""
    monkeypatch.setattr(calibrating, "SECONDS", 0.0)
    monkeypatch.setattr(calibrating, "FEWEST", 2)
    monkeypatch.setattr(calibrating, "DRAWN_VIDEOS", 64)
    drawn_videos.cache_clear()


def shapes(places: Places, change: dict[str, Any], *protocols: str) -> dict[str, Shape]:
    cell = tiny_cell({"backbone": TINY_BACKBONE, **change})
    options: dict[str, dict[str, Any]] = {"finetune": {"epochs": 1, "batch_size": 4, "clips": 2}}
    wanted = tuple(tiny_evaluation(name, **options.get(name, {})) for name in protocols)
    costs = [cell_cost(one, KnownData(places)) for one in unique_cells([Cell(cell, wanted)])]
    return {shape.title: shape for shape in distinct_shapes(costs)}


@pytest.mark.slow
def test_all_that_a_cell_is_made_of_can_be_measured(places: Places) -> None:
    found = shapes(places, {}, "linear", "finetune", "similarity")
    kinds = [shape.kind for shape in found.values()]
    assert {kind: kinds.count(kind) for kind in kinds} == {"training": 2, "loading": 2, "fit": 1, "forward": 3}
    for shape in found.values():
        measured = calibrate(shape, places, CPU)
        assert measured.seconds.keys() == {shape.kind, *(("setup", "save") if shape.kind == "training" else ())}
        assert all(0 < seconds < 60 for seconds in measured.seconds.values()), shape.title


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"pretraining": "supervised"},
        {"training.workers": 2, "batch_norm_group": 8},
        {"training.loader_workers": 2},
        {"schedule": {"name": "cosine", "warmup_steps": 3}},
        {"objective.contrastive": {"framework": "instdisc", "negatives": 8}},
        {"objective.pretext": {"rotation": {}, "reverse": {}}},
        {"batch_norm_group": 2, "training.chunk": 2},
    ],
)
def test_steps_of_every_sort_of_cell_are_measured(change: dict[str, Any], places: Places) -> None:
    for shape in shapes(places, change).values():
        assert calibrate(shape, places, CPU).seconds[shape.kind] > 0


def test_who_computes_and_gets_little_of_a_cpu_is_not_alone() -> None:
    assert is_disturbed(wall=10.0, cpu=3.0)
    assert not is_disturbed(wall=10.0, cpu=9.5)
    assert not is_disturbed(wall=10.0, cpu=19.0), "on two threads"


@pytest.mark.slow
def test_threads_are_put_back(places: Places) -> None:
    before = torch.get_num_threads()
    for shape in shapes(places, {"training.threads": 2, "training.loader_workers": 1}).values():
        calibrate(shape, places, CPU)
    assert torch.get_num_threads() == before


def test_a_set_that_the_cache_cannot_hold_is_decoded(places: Places) -> None:
    data = tiny_cell().data
    held, note = sampled(data, places, 32)
    assert note == "read from the frame cache"
    train = held.readable("train")
    held.frames(train[0].index, [0])
    assert held.reads["cache"] == 1
    decoded, note = sampled(data, replace(places, cache_gigabytes=1e-6), 32)
    assert note == "decoded on demand"
    decoded.frames(train[0].index, [0])
    assert decoded.reads["cache"] == 0


def test_a_large_set_is_sampled_over_its_whole_list(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrating, "SAMPLE", 3)
    few, _ = sampled(tiny_cell().data, places, 32)
    assert [video.split for video in few.catalog.videos] == ["train"] * 3 + ["test"] * 3
    numbers = [int(video.path[-8:-4]) for video in few.catalog.split("train")]
    assert (numbers[0], numbers[-1]) == (0, 15)
