"""Linear warm-up, shared by all schedules.

A schedule: ``COMPONENT.build(options, total_steps=..., steps_per_epoch=...)`` gives the factor of the base learning
rate at a step, counted from 0 to ``total_steps - 1``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from raysl.config.cell import CellConfig
from raysl.config.options import Options, option
from raysl.errors import ConfigError

Schedule = Callable[[int], float]


class WarmupOptions(Options):
    """Options that every schedule has."""

    warmup_epochs: float = option(
        0.0, doc="epochs over which the rate rises linearly; a fraction is allowed", unit="epochs", source="[?]", ge=0
    )


def with_warmup(
    options: WarmupOptions, total_steps: int, steps_per_epoch: int, after: Callable[[float], float]
) -> Schedule:
    """The factor at a step: rises linearly through the warm-up, then follows ``after``.

    With w warm-up steps the factor is (step + 1) / (w + 1): the first step is not lost at rate 0, and step w has the
    full rate (Goyal et al. 2017, https://arxiv.org/abs/1706.02677, 2.2, warm up linearly; the exact steps are ours).

    Args:
        options: the warm-up's length.
        total_steps: steps of the whole training, at least 1.
        steps_per_epoch: at least 1.
        after: factor by the share of the steps behind the warm-up that is done, 0 (included) to 1 (excluded).

    Raises:
        ConfigError: no step is left behind the warm-up.
    """
    warmup_steps = round(options.warmup_epochs * steps_per_epoch)
    if warmup_steps >= total_steps:
        raise ConfigError(
            f"schedule.warmup_epochs {options.warmup_epochs:g} is {warmup_steps} steps, "
            f"but training has {total_steps}: shorten the warm-up or train longer"
        )

    def factor(step: int) -> float:
        if not 0 <= step < total_steps:
            raise ValueError(f"step {step} is outside of 0..{total_steps - 1}")
        if step < warmup_steps:
            return (step + 1) / (warmup_steps + 1)
        return after((step - warmup_steps) / (total_steps - warmup_steps))

    return factor


def check_warmup(options: Any, cell: CellConfig) -> None:
    """Refuses a warm-up that is as long as the training, where that is known without data.

    Raises:
        ConfigError: with both lengths.
    """
    epochs = cell.training.epochs
    if epochs is not None and options.warmup_epochs >= epochs:
        raise ConfigError(
            f"schedule.warmup_epochs {options.warmup_epochs:g} is not shorter than training.epochs {epochs}: "
            "shorten the warm-up or train longer"
        )
