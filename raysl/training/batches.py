"""The batches of every remaining step, epoch after epoch."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from raysl.errors import CellFailure
from raysl.training.length import Length
from raysl.views.batch import Batch
from raysl.views.loader import PretrainingLoader


class StepBatches:
    """Hands out ``accumulate`` batches a step, from step ``first`` (from 0) on.

    Args:
        first: steps done already; the loader skips their videos without decoding them.
    """

    def __init__(
        self, loader: PretrainingLoader, length: Length, accumulate: int, first: int, device: torch.device
    ) -> None:
        self._loader, self._length, self._accumulate, self._device = loader, length, accumulate, device
        self._step = first
        self._epoch: Iterator[Batch] | None = None

    def next(self) -> tuple[list[Batch], CellFailure | None]:
        """The next step's batches on the device; or the failure, which the ranks then tell each other."""
        epoch, inside = divmod(self._step, self._length.steps_per_epoch)
        if self._epoch is None or inside == 0:
            self._epoch = iter(self._loader.epoch(epoch, first_step=inside * self._accumulate))
        self._step += 1
        try:
            return [next(self._epoch).to(self._device) for _ in range(self._accumulate)], None
        except CellFailure as failure:
            return [], failure
