"""The process group as the rest of raysl sees it: rank, size, differentiable collectives; all work without a group."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def is_distributed() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def rank() -> int:
    return dist.get_rank() if is_distributed() else 0


def world_size() -> int:
    return dist.get_world_size() if is_distributed() else 1


class _AllGather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        ctx.rows = tensor.shape[0]
        parts = [torch.empty_like(tensor) for _ in range(world_size())]
        dist.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        gradient = gradients[0].contiguous().clone()
        dist.all_reduce(gradient)
        first = rank() * ctx.rows
        return gradient[first : first + ctx.rows]


class _AllReduceSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.contiguous().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        gradient = gradients[0].contiguous().clone()
        dist.all_reduce(gradient)
        return gradient


def all_gather(tensor: Tensor) -> Tensor:
    """Rows of all ranks in rank order, ``[B, ...] -> [world * B, ...]``, with gradient to every rank's rows.

    With a loss that is a mean over local rows on each rank, DDP's averaging of gradients then gives exactly the
    gradient of the mean over the global batch.
    """
    return _AllGather.apply(tensor) if is_distributed() else tensor


def all_reduce_sum(tensor: Tensor) -> Tensor:
    """Sum over ranks, differentiable."""
    return _AllReduceSum.apply(tensor) if is_distributed() else tensor


def broadcast_object(value: Any) -> Any:
    """Rank 0's value on every rank (pickled)."""
    if not is_distributed():
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def gather_objects(value: Any) -> list[Any]:
    """Every rank's value on every rank, in rank order (pickled)."""
    if not is_distributed():
        return [value]
    boxes: list[Any] = [None] * world_size()
    dist.all_gather_object(boxes, value)
    return boxes
