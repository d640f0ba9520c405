"""The process group as the rest of raysl sees it: rank, size, differentiable collectives; all work without a group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

BUCKET_BYTES = 25 * 2**20
"""Tensors that are reduced together, as DDP's: large enough for bandwidth, small beside a network."""


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
        tensor = tensor.contiguous()  # before `empty_like`, which keeps strides: all ranks must lay rows out alike
        parts = [torch.empty_like(tensor) for _ in range(world_size())]
        dist.all_gather(parts, tensor)
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


def average_over_ranks(tensors: Sequence[Tensor]) -> None:
    """Replaces each tensor by its mean over ranks, in place, by one collective for each `BUCKET_BYTES` of them.

    Every rank gives tensors of the same shapes in the same order.
    """

    def average(values: Tensor) -> None:
        dist.all_reduce(values)
        values.div_(world_size())

    _in_buckets(tensors, average)


def broadcast_from_first(tensors: Sequence[Tensor]) -> None:
    """Gives every rank rank 0's values, in place; otherwise as `average_over_ranks`."""
    _in_buckets(tensors, lambda values: dist.broadcast(values, src=0))


@torch.no_grad()
def _in_buckets(tensors: Sequence[Tensor], collective: Callable[[Tensor], Any]) -> None:
    for bucket in _buckets(tensors) if is_distributed() else ():
        flat = torch.cat([tensor.flatten() for tensor in bucket])
        collective(flat)
        for tensor, values in zip(bucket, torch.split(flat, [tensor.numel() for tensor in bucket]), strict=True):
            tensor.copy_(values.view(tensor.shape))


def _buckets(tensors: Sequence[Tensor]) -> list[list[Tensor]]:
    """Neighbours of one dtype, together as long as they are below `BUCKET_BYTES`."""
    buckets: list[list[Tensor]] = []
    filled = 0
    for tensor in tensors:
        filled += tensor.nbytes
        if not buckets or filled > BUCKET_BYTES or tensor.dtype != buckets[-1][0].dtype:
            buckets.append([])
            filled = tensor.nbytes
        buckets[-1].append(tensor)
    return buckets


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
