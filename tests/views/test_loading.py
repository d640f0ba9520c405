"""How many processes load is chosen from what is measured; items are the same whoever loads them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from raysl.notes import heard
from raysl.views import loading as module
from raysl.views.loaded import LoadSeconds
from raysl.views.loader_choice import Costs, LoaderChoice, choose
from raysl.views.loader_processes import LoaderProcesses
from raysl.views.loading import Loading
from raysl.views.loading_time import Spent
from tests.views.numbered import NumberedSource, numbered_cell

GPU = {"use": 0.1, "use_cpu": 0.02}
ALL_CPUS = {"use": 1.0, "use_cpu": 4.0}


@pytest.mark.parametrize(
    ("load", "use", "cpus", "left", "processes"),
    [
        (0.35, GPU, 16, 1000, 4),  # hidden behind the GPU
        (0.35, GPU, 2, 1000, 2),  # as many as there are CPUs
        (5.0, GPU, 16, 1000, 16),
        (0.05, GPU, 16, 1000, 1),
        (0.35, GPU, 16, 20, 0),  # saves 7 s
        (0.004, GPU, 16, 10**6, 0),  # saves a twenty-fifth of the time
        (0.5, ALL_CPUS, 4, 1000, 1),  # loading runs on one CPU while the three others wait
        (0.5, {"use": 1.0, "use_cpu": 1.0}, 1, 1000, 0),  # one CPU does one thing at a time
    ],
)
def test_as_many_processes_as_hide_loading(
    load: float, use: dict[str, float], cpus: int, left: int, processes: int
) -> None:
    found = choose(Costs(load=load, load_cpu=load, **use), cpus, left, cpus)
    assert found.processes == processes
    assert found.record()["load_seconds"] == pytest.approx(load)
    assert found.why


def test_a_thread_that_keeps_up_needs_no_process() -> None:
    costs = Costs(load=0.05, load_cpu=0.05, use=0.1, use_cpu=0.1)
    assert choose(costs, 4, 10**6, 4, beside=True).processes == 0
    assert choose(costs, 4, 10**6, 4).processes == 1
    slow = Costs(load=0.3, load_cpu=0.3, use=0.1, use_cpu=0.1)
    assert choose(slow, 4, 10**6, 4, beside=True).processes == 3


class Load:
    """Picklable; slow enough to be measured."""

    def __call__(self, key: int) -> Tensor:
        time.sleep(0.002)
        return torch.full((2,), key)


def loading(asked: Any = "auto", **options: Any) -> Loading[int, Tensor]:
    return Loading(Load(), asked, **{"cpus": 2, "item_bytes": 16, "what": "training", **options})


def keys(items: Iterator[Tensor]) -> list[int]:
    return [int(item[0]) for item in items]


@pytest.mark.parametrize("beside", [False, True])
def test_short_work_starts_no_process(beside: bool) -> None:
    chosen: list[LoaderChoice] = []
    made = loading(beside=beside, on_choice=chosen.append)
    assert keys(made.items(range(12), 12)) == list(range(12))
    assert [one.processes for one in chosen] == [0]
    assert "s of the 7 that are left" in chosen[0].why
    assert made.processes == 0
    assert made.spent.items == 11
    assert keys(made.items(range(3), 3)) == [0, 1, 2]


def forced(monkeypatch: pytest.MonkeyPatch, *, before: float) -> None:
    """Two processes are chosen, whatever is measured, and are there at once."""

    def chosen(costs: Costs, cpus: int, left: int, most: int, *, beside: bool) -> LoaderChoice:
        return LoaderChoice(2, "for a test", costs, cpus, before)

    start = Loading._start

    def start_and_wait(self: Loading[int, Tensor], choice: LoaderChoice) -> None:
        start(self, choice)
        assert self._starting is not None
        self._starting.result()

    monkeypatch.setattr(module, "choose", chosen)
    monkeypatch.setattr(Loading, "_start", start_and_wait)


@pytest.mark.slow
@pytest.mark.parametrize("beside", [False, True])
def test_processes_take_over_between_two_items(monkeypatch: pytest.MonkeyPatch, beside: bool) -> None:
    forced(monkeypatch, before=100.0)
    chosen, notes, by = list[LoaderChoice](), list[str](), list[int]()
    made = loading(beside=beside, on_choice=chosen.append, item_bytes=None, finish=lambda item: item + 1)
    with heard(notes.append):
        for number, item in enumerate(made.items(range(30), 30)):
            assert item.tolist() == [number + 1] * 2
            by.append(made.processes)
    assert by[:5] == [0] * 5
    assert by[6:] == [2] * 24
    assert [one.processes for one in chosen] == [2, 2]
    assert chosen[1].after is not None
    assert [note for note in notes if "training: 2 of 2 CPUs load clips in processes of their own" in note]
    assert keys(made.items(range(3), 3)) == [1, 2, 3], "they stay for the next pass"
    made.close()
    assert made.processes == 0


@pytest.mark.slow
def test_processes_that_are_no_gain_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    forced(monkeypatch, before=1e-6)
    chosen: list[LoaderChoice] = []
    made = loading(on_choice=chosen.append)
    assert keys(made.items(range(40), 40)) == list(range(40))
    assert [one.processes for one in chosen] == [2, 0]
    assert chosen[1].why.startswith("it was slower with 2")
    assert made.processes == 0


@pytest.mark.slow
def test_a_number_is_taken_as_it_is_but_for_fewer_items() -> None:
    made = loading(2, item_bytes=None)
    assert keys(made.items(range(2), 2)) == [0, 1]
    assert made.processes == 1
    made.close()


def test_what_cannot_be_sent_to_a_process_is_loaded_here(caplog: pytest.LogCaptureFixture) -> None:
    made = Loading[int, Tensor](
        lambda key: torch.tensor([key]), 2, cpus=2, item_bytes=None, what="evaluation on mine", beside=True
    )
    assert keys(made.items(range(4), 4)) == [0, 1, 2, 3]
    assert "evaluation on mine: one thread loads clips: loader processes cannot get" in caplog.text


@pytest.mark.slow
def test_batches_of_training_are_the_same_when_processes_take_over(monkeypatch: pytest.MonkeyPatch) -> None:
    forced(monkeypatch, before=100.0)
    from raysl.views.loader import PretrainingLoader

    source = NumberedSource(*([40] * 16))
    places = [(epoch, step) for epoch in range(3) for step in range(8)]
    found = []
    for workers in (0, "auto"):
        cell = numbered_cell(loader_workers=workers, clip={"frames": 4, "stride": 2})
        made = PretrainingLoader(cell, source, view_names=("query", "key"), rank=0, world_size=1)
        found.append(list(made.batches(places, len(places))))
        assert made.processes == (0 if workers == 0 else 2)
    for one, other in zip(*found, strict=True):
        for name in ("query", "key"):
            assert torch.equal(one.views[name].clips, other.views[name].clips)
            assert torch.equal(one.views[name].video, other.views[name].video)


def test_who_waits_long_is_told_where_the_time_goes() -> None:
    spent = Spent()
    for _ in range(20):
        spent.add(0.64, 1.0, LoadSeconds(1.2, 1.0, {"decode": 0.9, "storage": 0.06, "collate": 0.06}))
    assert spent.wait_share == pytest.approx(0.39, abs=0.001)
    assert spent.is_slow
    hint = spent.hint(2)
    assert hint.startswith("39% of the time are spent waiting for clips")
    assert "decode 75%, augmentation 15%, storage 5%, collate 5%; 2 loader processes" in hint
    assert "raysl data prepare" in hint
    quick = Spent()
    for _ in range(40):
        quick.add(0.1, 1.0, LoadSeconds(1.0, 1.0, {}))
    assert not quick.is_slow


@pytest.mark.slow
def test_processes_end_with_who_holds_them() -> None:
    made = LoaderProcesses(Load(), 1)
    process = made._workers[0].process
    assert [int(one.value[0]) for one in made.items([7])] == [7]
    del made
    assert process.exitcode == 0
