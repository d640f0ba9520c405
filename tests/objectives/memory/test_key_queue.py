"""MoCo's queue: unit columns, first in first out, a pointer that wraps."""

from __future__ import annotations

import pytest
import torch

from raysl.objectives.losses.nt_xent import unit_rows
from raysl.objectives.memory.key_queue import KeyQueue


def keys(count: int, views: int = 1, seed: int = 0) -> torch.Tensor:
    return unit_rows(torch.randn(views, count, 5, generator=torch.Generator().manual_seed(seed)))


def test_starts_with_unit_columns_from_the_seeded_generator() -> None:
    queues = []
    for _ in range(2):
        torch.manual_seed(3)
        queues.append(KeyQueue(5, 12))
    assert queues[0].columns.shape == (5, 12)
    torch.testing.assert_close(queues[0].columns.norm(dim=0), torch.ones(12))
    assert torch.equal(queues[0].columns, queues[1].columns)
    assert set(queues[0].state_dict()) == {"columns", "pointer"}
    assert not list(queues[0].parameters())


def test_replaces_the_oldest_and_wraps() -> None:
    queue = KeyQueue(5, 6)
    start = queue.columns.clone()
    batches = [keys(2, seed=seed) for seed in range(4)]
    for count, batch in enumerate(batches[:3], start=1):
        queue.enqueue(batch)
        assert queue.pointer == 2 * count % 6
        torch.testing.assert_close(queue.columns[:, : 2 * count], torch.cat([b[0] for b in batches[:count]]).T)
        assert torch.equal(queue.columns[:, 2 * count :], start[:, 2 * count :])
    queue.enqueue(batches[3])
    expected = torch.cat([batches[3][0], batches[1][0], batches[2][0]]).T
    assert torch.equal(queue.columns, expected)
    assert queue.pointer == 2


def test_two_views_lie_one_after_the_other() -> None:
    queue = KeyQueue(5, 6)
    pair = keys(3, views=2)
    queue.enqueue(pair)
    assert torch.equal(queue.columns, torch.cat([pair[0], pair[1]]).T)
    assert queue.pointer == 0


def test_more_keys_than_it_holds_are_refused() -> None:
    with pytest.raises(ValueError, match="7 keys do not fit a queue of 6"):
        KeyQueue(5, 6).enqueue(keys(7))


def test_fills_as_lightlys() -> None:
    module = pytest.importorskip("lightly.models.modules.memory_bank")
    theirs, ours = module.MemoryBankModule(size=(8, 5)), KeyQueue(5, 8)
    start = theirs.bank if theirs.bank.shape == (5, 8) else theirs.bank.T
    ours.columns.copy_(start)
    for seed in range(5):
        batch = keys(4, seed=seed)
        theirs(batch[0], update=True)
        ours.enqueue(batch)
        bank = theirs.bank if theirs.bank.shape == (5, 8) else theirs.bank.T
        torch.testing.assert_close(ours.columns, bank)
