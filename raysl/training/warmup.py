"""Linear warm-up, shared by all schedules."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from pydantic import model_validator

from raysl.config.cell import CellConfig
from raysl.config.options import Options, option
from raysl.errors import ConfigError
from raysl.training.schedule import Schedule


class WarmupOptions(Options):
    """Options of every schedule; at most one of the two lengths may be set."""

    warmup_epochs: float = option(
        0.0,
        doc="epochs over which the rate rises linearly; a fraction is allowed",
        unit="epochs",
        source="ours",
        ge=0,
        le=1e6,
    )
    warmup_steps: int | None = option(
        None,
        doc="the same in steps, where a recipe prints those",
        unit="steps",
        source="ours; code: CVRL K600 1787",
        ge=0,
        le=10**9,
    )

    @model_validator(mode="after")
    def _one_length(self) -> WarmupOptions:
        if self.warmup_epochs and self.warmup_steps is not None:
            raise ValueError("give at most one of schedule.warmup_epochs and schedule.warmup_steps")
        return self

    def steps(self, steps_per_epoch: int) -> int:
        """The warm-up's length in steps."""
        return round(self.warmup_epochs * steps_per_epoch) if self.warmup_steps is None else self.warmup_steps


class WarmedUp(Schedule):
    """The factor rises linearly through the warm-up, then follows `after_warmup`.

    With w warm-up steps the factor is (step + 1) / (w + 1): the first step is not wasted at rate 0, and step w has the
    full rate (Goyal et al. 2017, https://arxiv.org/abs/1706.02677, 2.2, warm up linearly; the exact steps are ours).

    Args:
        options: the warm-up's length.
        total_steps: steps of the whole training, at least 1.
        steps_per_epoch: at least 1.

    Raises:
        ConfigError: no step is left after the warm-up.
    """

    def __init__(self, options: WarmupOptions, total_steps: int, steps_per_epoch: int) -> None:
        self.total_steps, self.steps_per_epoch = total_steps, steps_per_epoch
        self.warmup_steps = options.steps(steps_per_epoch)
        if self.warmup_steps >= total_steps:
            raise ConfigError(
                f"{_shown(options)} is {self.warmup_steps} steps, "
                f"but training has {total_steps}: shorten the warm-up or train longer"
            )

    def __call__(self, step: int) -> float:
        if not 0 <= step < self.total_steps:
            raise ValueError(f"step {step} is outside of 0..{self.total_steps - 1}")
        if step < self.warmup_steps:
            return (step + 1) / (self.warmup_steps + 1)
        return self.after_warmup(step)

    @abstractmethod
    def after_warmup(self, step: int) -> float:
        """The factor at a step after the warm-up."""

    def done(self, step: int) -> float:
        """The share of the steps after the warm-up that is done at ``step``, 0 (included) to 1 (excluded)."""
        return (step - self.warmup_steps) / (self.total_steps - self.warmup_steps)


def check_warmup(options: Any, cell: CellConfig) -> None:
    """Refuses a warm-up as long as the training, if that is known without data.

    Raises:
        ConfigError: with both lengths.
    """
    epochs, steps = cell.training.epochs, cell.training.steps
    if epochs is not None and options.warmup_epochs >= epochs:
        raise ConfigError(
            f"{_shown(options)} is not shorter than training.epochs {epochs}: shorten the warm-up or train longer"
        )
    if steps is not None and options.warmup_steps is not None and options.warmup_steps >= steps:
        raise ConfigError(
            f"{_shown(options)} is not shorter than training.steps {steps}: shorten the warm-up or train longer"
        )


def _shown(options: WarmupOptions) -> str:
    if options.warmup_steps is not None:
        return f"schedule.warmup_steps {options.warmup_steps}"
    return f"schedule.warmup_epochs {options.warmup_epochs:g}"
