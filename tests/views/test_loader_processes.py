"""Loader processes on machines with little shared memory, and ones that die or give nothing."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from raysl.errors import NodeFault
from raysl.notes import heard, say_once
from raysl.views import loader as module
from raysl.views.loader import PretrainingLoader, fitting_processes
from tests.views.numbered import NumberedSource, numbered_cell


class Failing(NumberedSource):
    """What it does instead of reading is done in a loader process alone."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__(*([40] * 16))
        self.act, self.owner = act, os.getpid()

    def frames(self, index: int, frame_indices: Sequence[int]) -> Tensor:
        if os.getpid() != self.owner:
            self.act()
        return super().frames(index, frame_indices)


def loader_of(source: NumberedSource, workers: int) -> PretrainingLoader:
    cell = numbered_cell(loader_workers=workers, clip={"frames": 4, "stride": 2})
    return PretrainingLoader(cell, source, view_names=("query", "key"), rank=0, world_size=1)


@pytest.mark.parametrize(
    ("asked", "free", "fit"), [(0, 1000, 0), (4, 1000, 4), (4, 90, 4), (4, 89, 3), (4, 30, 1), (4, 29, 0), (4, 0, 0)]
)
def test_as_many_processes_as_their_batches_fit(asked: int, free: int, fit: int) -> None:
    assert fitting_processes(asked, 10, free) == fit


@pytest.mark.slow
def test_without_room_the_caller_loads_the_same_batches(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source = NumberedSource(*([40] * 16))
    expected = list(loader_of(source, 0).epoch(0))
    usage = type(shutil.disk_usage("/"))
    monkeypatch.setattr("raysl.views.loader.shutil.disk_usage", lambda _: usage(1000, 900, 100))
    made = loader_of(source, 2)
    assert made.processes == 0
    assert "0 loader processes instead of training.loader_workers 2" in caplog.text
    for one, other in zip(expected, made.epoch(0), strict=True):
        assert torch.equal(one.views["query"].clips, other.views["query"].clips)


def test_a_process_that_dies_is_a_fault_that_may_pass() -> None:
    with pytest.raises(NodeFault, match=r"loading of clips ended: .*1 loader processes.*MB free") as caught:
        list(loader_of(Failing(lambda: os._exit(9)), 1).epoch(0))
    assert caught.value.may_pass


@pytest.mark.slow
def test_processes_that_give_nothing_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 1.0)
    with pytest.raises(NodeFault, match="timed out"):
        list(loader_of(Failing(lambda: time.sleep(20)), 1).epoch(0))


def test_an_error_of_our_own_in_a_process_stays_what_it_is() -> None:
    def fail() -> None:
        raise RuntimeError("a fault in the code")

    with pytest.raises(RuntimeError, match="a fault in the code"):
        list(loader_of(Failing(fail), 1).epoch(0))


@pytest.mark.slow
def test_what_a_process_says_reaches_who_loads() -> None:
    notes: list[str] = []
    with heard(notes.append):
        list(loader_of(Failing(lambda: say_once("said in a loader process")), 2).epoch(0))
    assert notes == ["said in a loader process"]
