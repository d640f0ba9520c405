"""What a checkpoint holds, and which ones are refused."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from raysl.errors import StorageError
from raysl.training.checkpoint import Checkpoint, random_state, read_checkpoint, restore_random_state, seed_rank

CPU = torch.device("cpu")


def test_a_checkpoint_comes_back_as_it_was() -> None:
    weight = torch.randn(2, 3, 4, 5, 6).contiguous(memory_format=torch.channels_last_3d)
    checkpoint = Checkpoint(
        cell="a1b2",
        step=7,
        precision="bfloat16",
        model={"weight": weight},
        random=[random_state(CPU)],
        curves={"step": [1.0, 2.0]},
        unreadable=["a/b.mp4"],
        attempts=[{"from_step": 0, "hardware": [{"gpu": None}]}],
        seconds=1.5,
    )
    found = read_checkpoint(checkpoint.to_bytes(), "a1b2")
    assert torch.equal(found.model["weight"], weight)
    assert (found.step, found.precision, found.curves) == (7, "bfloat16", {"step": [1.0, 2.0]})
    assert (found.unreadable, found.attempts, found.seconds) == (["a/b.mp4"], checkpoint.attempts, 1.5)


def test_random_states_come_back_through_a_checkpoint() -> None:
    def draws() -> tuple[float, float, float, float]:
        return random.random(), np.random.rand(), np.random.standard_normal(), torch.rand(()).item()

    seed_rank(3, 0)
    draws()
    data = Checkpoint("a", 1, "float32", {}, random=[random_state(CPU)]).to_bytes()
    expected = [draws() for _ in range(3)]
    draws()
    restore_random_state(read_checkpoint(data, "a").random[0], CPU)
    assert [draws() for _ in range(3)] == expected


def test_ranks_and_seeds_have_states_of_their_own() -> None:
    found = set()
    for seed, rank in ((0, 0), (0, 1), (1, 0)):
        seed_rank(seed, rank)
        found.add((random.random(), np.random.rand(), torch.rand(()).item()))
    assert len({draw for triple in found for draw in triple}) == 9


def test_another_cell_is_refused() -> None:
    data = Checkpoint("a1b2", 1, "float32", {}).to_bytes()
    with pytest.raises(StorageError, match="cell c3d4 holds a checkpoint of cell a1b2"):
        read_checkpoint(data, "c3d4")


def test_another_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raysl.training.checkpoint.FORMAT", 0)
    data = Checkpoint("a1b2", 1, "float32", {}).to_bytes()
    monkeypatch.undo()
    with pytest.raises(StorageError, match="format"):
        read_checkpoint(data, "a1b2")
