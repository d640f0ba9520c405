"""Loader processes: what they give, on machines with little shared memory too, and ones that die or give nothing."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor

from raysl.errors import ConfigError, NodeFault
from raysl.notes import heard, say_once
from raysl.views import loader_processes as module
from raysl.views.loader import PretrainingLoader
from raysl.views.loader_choice import fitting_processes
from raysl.views.loader_processes import LoaderProcesses
from tests.views.numbered import NumberedSource, numbered_cell


@contextmanager
def started(load: Callable[[int], Any], count: int) -> Iterator[LoaderProcesses[int, Any]]:
    made = LoaderProcesses(load, count)
    try:
        yield made
    finally:
        made.close()


def values(made: LoaderProcesses[int, Any], keys: Sequence[int]) -> list[Any]:
    return [loaded.value for loaded in made.items(keys)]


def square(key: int) -> tuple[int, Tensor]:
    time.sleep(0.01 * (key % 3))
    return key, torch.full((3,), key * key)


def fail(key: int) -> int:
    if key == 3:
        raise RuntimeError("a fault in the code")
    return key


def fault(key: int) -> int:
    raise NodeFault(f"item {key}", may_pass=True)


def end(key: int) -> int:
    if key == 2:
        os._exit(9)
    return key


def sleep(key: int) -> None:
    time.sleep(20)


def speak(key: int) -> int:
    say_once("said in a loader process")
    return key


@pytest.mark.slow
def test_items_come_in_order_from_another_process_and_a_pass_may_be_left() -> None:
    with started(square, 2) as made:
        for count in (7, 1):
            found = list(made.items(range(count)))
            assert [(key, tensor.tolist()) for key, tensor in (one.value for one in found)] == [
                (key, [key * key] * 3) for key in range(count)
            ]
            assert all(one.seconds.wall >= one.seconds.parts["collate"] > 0 for one in found)
        for _ in made.items(range(9)):
            break
        assert [key for key, _ in values(made, [5, 4])] == [5, 4]
        running = made.items(iter(range(100)))
        next(running)
        made.drain()
        assert [loaded.value[0] for loaded in running] == [1, 2, 3, 4]
        processes = [worker.process for worker in made._workers]
    assert [process.exitcode for process in processes] == [0, 0]


@pytest.mark.slow
def test_errors_stay_what_they_are_and_notes_reach_who_loads() -> None:
    with started(fail, 2) as made:
        with pytest.raises(RuntimeError, match="a fault in the code"):
            values(made, range(6))
        assert values(made, [1, 2]) == [1, 2], "the processes go on"
    with started(fault, 1) as made, pytest.raises(NodeFault, match="item 0") as caught:
        values(made, [0])
    assert caught.value.may_pass
    notes: list[str] = []
    with heard(notes.append), started(speak, 2) as made:
        assert values(made, range(5)) == list(range(5))
    assert notes == ["said in a loader process"]


@pytest.mark.slow
def test_a_process_that_dies_or_gives_nothing_is_a_fault_that_may_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = r"loading of clips ended: a process ended with status 9 \(2 loader processes.*MB free"
    with started(end, 2) as made, pytest.raises(NodeFault, match=expected) as caught:
        values(made, range(6))
    assert caught.value.may_pass
    with started(sleep, 1) as made:
        monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.2)
        monkeypatch.setattr(module, "GRACE_SECONDS", 0.1)
        with pytest.raises(NodeFault, match="timed out"):
            values(made, [0])


def test_what_cannot_be_sent_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"must be picklable.*or set training\.loader_workers to 0"):
        LoaderProcesses(lambda key: key, 1)


class Unknown:
    """Pickled, it names a module that a loader process does not find."""

    def __reduce__(self) -> Any:
        return import_module, ("a_module_of_nobody",)


@pytest.mark.slow
def test_what_a_process_cannot_import_is_refused_before_the_first_item() -> None:
    with pytest.raises(ConfigError, match="ModuleNotFoundError: No module named 'a_module_of_nobody'"):
        LoaderProcesses(Unknown(), 2)  # type: ignore[arg-type]


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
    monkeypatch.setattr("raysl.views.loader_choice.shutil.disk_usage", lambda _: usage(1000, 900, 100))
    made = loader_of(source, 2)
    assert made.processes == 0
    assert "0 loader processes instead of 2 (training.loader_workers)" in caplog.text
    for one, other in zip(expected, made.epoch(0), strict=True):
        assert torch.equal(one.views["query"].clips, other.views["query"].clips)
