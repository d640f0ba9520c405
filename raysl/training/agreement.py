"""What ranks tell each other before a step, so that a failure on one is raised by all, at the same step."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import torch
import torch.distributed as dist

from raysl.distributed import gather_objects, is_distributed, rank
from raysl.errors import CellFailure, RayslError

Result = TypeVar("Result")


class Signals(NamedTuple):
    """Attributes: unreadable: paths that failed on any rank since the last exchange. tick: rank 0 wants a report."""

    unreadable: tuple[str, ...]
    tick: bool


def together(function: Callable[[], Result]) -> Result:
    """``function()`` on every rank; where it fails on one, that failure is raised by all. Collective.

    Raises:
        RayslError: of the lowest rank that raised one.
    """
    failure: RayslError | None = None
    result: list[Result] = []
    try:
        result.append(function())
    except RayslError as error:
        failure = error
    first = next((error for error in gather_objects(failure) if error is not None), None)
    if first is not None:
        raise first
    return result[0]


def exchange(failure: CellFailure | None, unreadable: tuple[str, ...], tick: bool, device: torch.device) -> Signals:
    """One small all-reduce a step; the texts travel only where there are any. Collective.

    Raises:
        CellFailure: on every rank, where any rank hands one in.
    """
    if not is_distributed():
        if failure is not None:
            raise failure
        return Signals(unreadable, tick)
    counts = torch.tensor([failure is not None, len(unreadable), tick and rank() == 0], dtype=torch.int64).to(device)
    dist.all_reduce(counts)
    failed, replaced, ticked = counts.tolist()
    if failed:
        raise next(error for error in gather_objects(failure) if error is not None)
    if replaced:
        unreadable = tuple(path for paths in gather_objects(unreadable) for path in paths)
    return Signals(unreadable, bool(ticked))
