"""How long a cell trains, counted in optimisation steps."""

from __future__ import annotations

import math
from dataclasses import dataclass

from raysl.config.sections import TrainingOptions
from raysl.errors import CellFailure


@dataclass(frozen=True)
class Length:
    """The length of a training.

    Attributes:
        steps: optimisation steps in total.
        steps_per_epoch: in one pass over the videos.
    """

    steps: int
    steps_per_epoch: int

    @property
    def epochs(self) -> int:
        """Epochs begun; the last may be partial if the length is given in steps."""
        return math.ceil(self.steps / self.steps_per_epoch)

    def epoch(self, done: int) -> int:
        """The epoch, from 1, that step number ``done`` (from 1) belongs to."""
        return max(1, math.ceil(done / self.steps_per_epoch))

    def ends_epoch(self, done: int) -> bool:
        """True after an epoch's last step, and after the very last step."""
        return done == self.steps or done % self.steps_per_epoch == 0


def training_length(options: TrainingOptions, batches_per_epoch: int) -> Length:
    """From epochs or steps, whichever is configured; batches left over by ``accumulate`` are dropped from the epoch.

    Raises:
        CellFailure: an epoch has too few batches for one step.
    """
    steps_per_epoch = batches_per_epoch // options.accumulate
    if steps_per_epoch < 1:
        raise CellFailure(
            f"an epoch has {batches_per_epoch} batches of {options.batch_size} videos, fewer than one step needs "
            f"(training.accumulate {options.accumulate}): lower training.batch_size or training.accumulate"
        )
    steps = options.steps if options.steps is not None else (options.epochs or 0) * steps_per_epoch
    return Length(steps, steps_per_epoch)
