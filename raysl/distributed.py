"""The process group: rank, size, differentiable collectives. Everything works without a group."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from raysl.cgroup import cgroup_limits
from raysl.errors import ConfigError, NodeFault, RayslError

T = TypeVar("T")
E = TypeVar("E", bound=Exception)

BUCKET_BYTES = 25 * 2**20
"""Bytes that are reduced together, like DDP's buckets: large enough for bandwidth, small compared to a network."""


_alone = False


def is_distributed() -> bool:
    return not _alone and dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


@contextmanager
def alone_on_first_rank() -> Iterator[None]:
    """In its body this process works as without a process group, while other ranks do something else."""
    global _alone
    _alone = True
    try:
        yield
    finally:
        _alone = False


def rank() -> int:
    return dist.get_rank() if is_distributed() else 0


def world_size() -> int:
    return dist.get_world_size() if is_distributed() else 1


def host_or(device: torch.device) -> torch.device:
    """The CPU if the group takes CPU tensors, so that nobody waits for the device; otherwise ``device``."""
    return torch.device("cpu") if "cpu:" in dist.get_backend_config() else device


def launcher_number(variable: str) -> int:
    """A count that torchrun sets in the environment; 1 if it is unset or empty.

    Raises:
        ConfigError: it is no whole number of at least 1.
    """
    given = os.environ.get(variable) or "1"
    if not (given.isascii() and given.isdigit() and int(given) > 0):
        raise ConfigError(f"{variable} is {given!r} in the environment, and no number of processes; unset it")
    return int(given)


def cpus_of_rank() -> int:
    """CPUs of this rank: its share of those that this process may use, or what Ray sets as ``OMP_NUM_THREADS``.

    A process may use those that it may run on, and no more than a container's quota. torchrun sets
    ``OMP_NUM_THREADS=1`` whatever the machine, so it is ignored there.
    """
    quota = cgroup_limits().cpus
    usable = len(os.sched_getaffinity(0))
    usable = usable if quota is None else min(usable, math.ceil(quota))
    share = max(1, usable // launcher_number("LOCAL_WORLD_SIZE"))
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isascii() and given.isdigit() and int(given) > 0 and "TORCHELASTIC_RUN_ID" not in os.environ:
        return min(share, int(given))
    return share


class _AllGather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        ctx.rows = tensor.shape[0]
        tensor = tensor.contiguous()  # before `empty_like`, which keeps strides: all ranks must use the same layout
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

    Every rank passes tensors of the same shapes in the same order.
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
    """Groups of consecutive tensors of one dtype, each below `BUCKET_BYTES`."""
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


def on_every_rank(function: Callable[[], T]) -> T:
    """``function()`` on every rank; it must not communicate. A failure on one rank is raised on all of them.

    Raises:
        RayslError: a rank's own failure, or else that of the lowest rank that failed; a `NodeFault` instead of an
            exception that is not raysl's, with the ``unfit`` of all. Without a group, whatever ``function`` raises.
    """
    if not is_distributed():
        return function()
    result, failure, cause = _attempt(function)
    failures = [one for one in gather_objects(failure) if one is not None]
    if not failures:
        return result[0]
    error = failures[0] if failure is None else failure
    if isinstance(error, NodeFault):
        error.unfit = frozenset[int]().union(*(one.unfit for one in failures if isinstance(one, NodeFault)))
    raise of_all_ranks(error) from cause


def on_first_rank(function: Callable[[], T]) -> T:
    """``function()`` on rank 0 alone; its result, or its failure as `on_every_rank` raises it, on every rank."""
    if not is_distributed():
        return function()
    result, failure, cause = _attempt(function) if rank() == 0 else ([], None, None)
    shared, error = broadcast_object((result, failure))
    if error is not None:
        raise of_all_ranks(failure or error) from cause
    value: T = shared[0]
    return value


@contextmanager
def ending_together() -> Iterator[None]:
    """If one rank raises alone, its process group is closed, so that the others fail at their next collective.

    They would otherwise wait for it until the group's timeout, half an hour. Errors of `on_every_rank` and
    `on_first_rank` are raised on all ranks and close nothing.
    """
    try:
        yield
    except Exception as error:
        if is_distributed() and not is_of_all_ranks(error):
            dist.distributed_c10d._abort_process_group()
        raise


_ALL_RANKS = "raised_on_all_ranks"


def of_all_ranks(error: E) -> E:
    """Marks an error that every rank raises at the same place."""
    setattr(error, _ALL_RANKS, True)
    return error


def is_of_all_ranks(error: Exception) -> bool:
    """Whether every rank raises this error at the same place, so that none is left waiting."""
    return bool(getattr(error, _ALL_RANKS, False))


def _attempt(function: Callable[[], T]) -> tuple[list[T], RayslError | None, Exception | None]:
    """The result in a list, or the failure in a form that can be sent to other ranks, with its cause."""
    try:
        return [function()], None, None
    except RayslError as error:
        return [], error, error.__cause__ if isinstance(error.__cause__, Exception) else None
    except Exception as error:  # noqa: BLE001 - whatever it is, it is raised again once all ranks know
        said = f"rank {rank()} failed: {type(error).__name__}: {error}"
        return [], NodeFault(said, may_pass=may_pass(error)), error


def may_pass(error: Exception) -> bool:
    """Whether trying again soon may help: memory ran out, or the system failed to read or write."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError | OSError) or getattr(error, "may_pass", False)
