"""Collectives with and without a process group, and the gradients of the differentiable ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from raysl import distributed
from raysl.errors import DataError, NodeFault
from raysl.testing.ranks import run_ranks


def rows(rank: int) -> Tensor:
    return (torch.arange(6, dtype=torch.float64).reshape(2, 3) + 10 * rank).requires_grad_()


def weights(rank: int, count: int) -> Tensor:
    """How much rank ``rank``'s loss reads of each of the ``count`` gathered rows."""
    return torch.arange(1, count + 1, dtype=torch.float64)[:, None] * (rank + 1)


def on_rank(rank: int) -> dict[str, Any]:
    gathered_from, summed_from = rows(rank), rows(rank)
    gathered = distributed.all_gather(gathered_from)
    (gathered * weights(rank, 4)).sum().backward()
    total = distributed.all_reduce_sum(summed_from)
    (total * weights(rank, 2)).sum().backward()
    strided = distributed.all_gather(rows(rank).detach().T)
    return {
        "rank": (distributed.is_distributed(), distributed.rank(), distributed.world_size()),
        "gathered": gathered.detach(),
        "gather gradient": gathered_from.grad,
        "total": total.detach(),
        "sum gradient": summed_from.grad,
        "strided": strided,
        "broadcast": distributed.broadcast_object({"from": rank}),
        "objects": distributed.gather_objects(("rank", rank)),
        "averaged": in_place(distributed.average_over_ranks, rank),
        "from first": in_place(distributed.broadcast_from_first, rank),
        "unfit": [unfit(rank, lacking) for lacking in ([1], [0, 1])],
    }


def unfit(rank: int, lacking: list[int]) -> tuple[str, frozenset[int]]:
    """What a rank knows once ranks have found that their machines lack something."""

    def look() -> None:
        if rank in lacking:
            raise NodeFault(f"not with rank {rank}", unfit=[rank])

    with pytest.raises(NodeFault) as found:
        distributed.on_every_rank(look)
    return str(found.value), found.value.unfit


def tensors(rank: int) -> list[Tensor]:
    """Of two dtypes and several shapes, one with strides of its own."""
    strided = torch.arange(6.0).reshape(2, 3).T + rank
    return [strided, torch.full((4,), 2.0 * rank), torch.full((), 4.0 * rank).double(), torch.full((2, 2), 1.0 - rank)]


def in_place(function: Callable[[list[Tensor]], None], rank: int) -> list[Tensor]:
    """What ``function`` makes of `tensors`, in buckets that hold one or two of them."""
    given = tensors(rank)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distributed, "BUCKET_BYTES", 40)
        function(given)
    return given


@pytest.mark.slow
def test_two_ranks() -> None:
    results = run_ranks(on_rank, 2)
    both = torch.cat([rows(0), rows(1)]).detach()
    # The sum over ranks of what each loss reads: (1 + 2) times its weight.
    read = 3 * weights(0, 4).expand(4, 3)
    for rank, result in enumerate(results):
        assert result["rank"] == (True, rank, 2)
        assert torch.equal(result["gathered"], both)
        assert torch.equal(result["gather gradient"], read[2 * rank : 2 * rank + 2])
        assert torch.equal(result["total"], rows(0) + rows(1))
        assert torch.equal(result["sum gradient"], 3 * weights(0, 2).expand(2, 3))
        assert torch.equal(result["strided"], torch.cat([rows(0).T, rows(1).T]))
        assert result["broadcast"] == {"from": 0}
        assert result["objects"] == [("rank", 0), ("rank", 1)]
        for found, first, second in zip(result["averaged"], tensors(0), tensors(1), strict=True):
            assert torch.equal(found, (first + second) / 2)
        for found, first in zip(result["from first"], tensors(0), strict=True):
            assert torch.equal(found, first)
        assert result["unfit"] == [("not with rank 1", {1}), (f"not with rank {rank}", {0, 1})]


def test_without_a_group() -> None:
    tensor = rows(0)
    assert distributed.all_gather(tensor) is tensor
    assert distributed.all_reduce_sum(tensor) is tensor
    assert (distributed.is_distributed(), distributed.rank(), distributed.world_size()) == (False, 0, 1)
    assert distributed.broadcast_object("value") == "value"
    assert distributed.gather_objects("value") == ["value"]
    assert torch.equal(in_place(distributed.average_over_ranks, 1)[1], tensors(1)[1])


def raise_data_error() -> None:
    raise DataError("gone")


def test_what_fails_without_a_group_is_raised_as_it_is() -> None:
    """With two ranks: `tests/evaluation/test_ranks.py`."""
    assert distributed.on_every_rank(lambda: None) is None
    assert distributed.on_first_rank(lambda: 3) == 3
    for run in (distributed.on_every_rank, distributed.on_first_rank):
        with pytest.raises(DataError, match="gone"):
            run(raise_data_error)
