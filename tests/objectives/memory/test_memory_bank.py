"""The memory bank: its start, its rows, its draws and its update."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from raysl.errors import DataError
from raysl.objectives.losses.nt_xent import unit_rows
from raysl.objectives.memory.memory_bank import MemoryBank

VIDEOS = (2, 3, 7, 11, 40)


def test_starts_uniform_with_mean_square_length_one() -> None:
    torch.manual_seed(0)
    bank = MemoryBank(range(4000), 48)
    bound = 1 / math.sqrt(48 / 3)
    assert bank.entries.abs().max() <= bound
    assert bank.entries.abs().max() > 0.99 * bound
    assert bank.entries.square().sum(dim=1).mean() == pytest.approx(1, abs=0.01)
    assert set(bank.state_dict()) == {"entries"}


def test_rows_follow_the_catalogs_indices() -> None:
    bank = MemoryBank(VIDEOS, 3)
    assert bank.rows(torch.tensor([40, 2, 7])).tolist() == [4, 0, 2]


@pytest.mark.parametrize("missing", [0, 4, 41])
def test_a_video_without_a_row_is_named(missing: int) -> None:
    with pytest.raises(DataError, match=f"video {missing} of the catalog has no row"):
        MemoryBank(VIDEOS, 3).draw(torch.tensor([2, missing]), 2, 0, 0)


def test_a_draw_depends_on_its_video_and_key_alone() -> None:
    bank = MemoryBank(VIDEOS, 3)
    together = bank.draw(torch.tensor([2, 7, 40]), 6, 5, 1, "negatives")
    assert together.shape == (3, 7)
    assert together[:, 0].tolist() == [0, 2, 4]
    alone = bank.draw(torch.tensor([7]), 6, 5, 1, "negatives")
    assert torch.equal(together[1], alone[0])
    assert not torch.equal(together[:, 1:], bank.draw(torch.tensor([2, 7, 40]), 6, 5, 2, "negatives")[:, 1:])


def test_draws_are_uniform_over_the_whole_bank() -> None:
    bank = MemoryBank(range(10), 3)
    drawn = bank.draw(torch.arange(10), 3000, 0, 0, "negatives")[:, 1:]
    counts = np.bincount(drawn.flatten().numpy(), minlength=10)
    assert (np.abs(counts - 3000) < 5 * math.sqrt(3000)).all()


@pytest.mark.parametrize("momentum", [0.0, 0.3, 0.5, 1.0])
def test_update_keeps_the_share_of_the_old_entry_and_length_one(momentum: float) -> None:
    torch.manual_seed(0)
    bank = MemoryBank(VIDEOS, 3)
    before = bank.entries.clone()
    new = unit_rows(torch.randn(2, 3))
    bank.update(torch.tensor([3, 1]), new, momentum)
    for row, embedding in zip((3, 1), new, strict=True):
        mixed = momentum * before[row] + (1 - momentum) * embedding
        torch.testing.assert_close(bank.entries[row], mixed / math.sqrt(float((mixed * mixed).sum())))
        assert bank.entries[row].norm().item() == pytest.approx(1, abs=1e-6)
    assert torch.equal(bank.entries[[0, 2, 4]], before[[0, 2, 4]])
