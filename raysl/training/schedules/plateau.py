"""The rate falls by a factor whenever the training loss has stopped falling, after a linear warm-up.

The loss is the mean over an epoch's training steps: nothing is held out, and the test split is never read.
"""

from __future__ import annotations

from typing import Any

from raysl.config.component import Component
from raysl.config.options import NO_UNIT, option
from raysl.training.warmup import WarmedUp, WarmupOptions, check_warmup


class PlateauOptions(WarmupOptions):
    """Options of the plateau schedule."""

    factor: float = option(
        0.1,
        doc="what the rate is multiplied by at a plateau",
        unit=NO_UNIT,
        source="printed: TCLR, CSTP: divided by 10",
        gt=0,
        lt=1,
    )
    patience: int = option(
        10,
        doc="epochs to wait without a new best loss; the rate falls after one more",
        unit="epochs",
        source="code: CSTP 10; TCLR 8",
        ge=0,
        le=10000,
    )
    threshold: float = option(
        1e-4,
        doc="share of the best loss by which a new one must be lower to count",
        unit=NO_UNIT,
        source="code: torch.optim.lr_scheduler.ReduceLROnPlateau",
        ge=0,
        lt=1,
    )


class Plateau(WarmedUp):
    """As `torch.optim.lr_scheduler.ReduceLROnPlateau`; epochs that begin within the warm-up do not count.

    For losses below zero (SimSiam) it is stricter than PyTorch, which accepts a slightly higher one as a new best.
    """

    def __init__(self, options: PlateauOptions, total_steps: int, steps_per_epoch: int) -> None:
        super().__init__(options, total_steps, steps_per_epoch)
        self.options = options
        self._factor = 1.0
        self._best: float | None = None
        self._bad_epochs = 0
        self._sum = 0.0

    def after_warmup(self, step: int) -> float:
        return self._factor

    def observe(self, step: int, loss: float) -> None:
        self._sum += loss
        if (step + 1) % self.steps_per_epoch:
            return
        mean, self._sum = self._sum / self.steps_per_epoch, 0.0
        if step + 1 - self.steps_per_epoch >= self.warmup_steps:
            self._end_epoch(mean)

    def _end_epoch(self, loss: float) -> None:
        if self._best is None or loss < self._best - self.options.threshold * abs(self._best):
            self._best, self._bad_epochs = loss, 0
            return
        self._bad_epochs += 1
        if self._bad_epochs > self.options.patience:
            self._factor *= self.options.factor
            self._bad_epochs = 0

    def state_dict(self) -> dict[str, Any]:
        return {"factor": self._factor, "best": self._best, "bad_epochs": self._bad_epochs, "sum": self._sum}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._factor, self._best = state["factor"], state["best"]
        self._bad_epochs, self._sum = state["bad_epochs"], state["sum"]


COMPONENT = Component(kind="schedule", options=PlateauOptions, build=Plateau, check=check_warmup)
