"""The batches of every remaining step, epoch by epoch, and the signals that ranks exchange before each."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.distributed as dist

from raysl.distributed import gather_objects, host_or, is_distributed, of_all_ranks, rank
from raysl.errors import RayslError
from raysl.signals import leave_requested, save_requested
from raysl.training.length import Length
from raysl.views.batch import Batch
from raysl.views.loader import PretrainingLoader


class StepBatches:
    """Gives ``accumulate`` batches a step, from step ``first`` (from 0) on.

    Args:
        first: steps done already; the loader skips their videos without decoding them.
    """

    def __init__(
        self, loader: PretrainingLoader, length: Length, accumulate: int, first: int, device: torch.device
    ) -> None:
        self._loader, self._accumulate, self._device = loader, accumulate, device
        places = (
            (step // length.steps_per_epoch, step % length.steps_per_epoch * accumulate + index)
            for step in range(first, length.steps)
            for index in range(accumulate)
        )
        self._batches = loader.batches(places, (length.steps - first) * accumulate)

    def next(self) -> tuple[list[Batch], RayslError | None]:
        """The next step's batches on the device, or the failure, which the ranks then exchange."""
        try:
            batches = (next(self._batches).to(self._device) for _ in range(self._accumulate))
            return [self._loader.finished(batch) for batch in batches], None
        except RayslError as failure:
            return [], failure


class Signals(NamedTuple):
    """Signals that ranks exchange at every step.

    Attributes:
        unreadable: paths of videos that failed on any rank since the last exchange.
        tick: rank 0 wants a report.
        save: some rank got a request to save a checkpoint.
        leave: some rank got a request to end.
    """

    unreadable: tuple[str, ...]
    tick: bool
    save: bool = False
    leave: bool = False


def exchange(failure: RayslError | None, unreadable: tuple[str, ...], tick: bool, device: torch.device) -> Signals:
    """One small all-reduce a step, by the host where it can; texts are sent only if there are any. Collective.

    Raises:
        RayslError: on every rank, if any rank passes one.
    """
    if not is_distributed():
        if failure is not None:
            raise failure
        return Signals(unreadable, tick, save_requested(), leave_requested())
    said = [failure is not None, len(unreadable), tick and rank() == 0, save_requested(), leave_requested()]
    counts = torch.tensor(said, dtype=torch.int64).to(host_or(device))
    dist.all_reduce(counts)
    failed, replaced, ticked, save, leave = counts.tolist()
    if failed:
        raise of_all_ranks(next(error for error in gather_objects(failure) if error is not None))
    if replaced:
        unreadable = tuple(path for paths in gather_objects(unreadable) for path in paths)
    return Signals(unreadable, bool(ticked), bool(save), bool(leave))
