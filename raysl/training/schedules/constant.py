"""The base rate throughout, after a linear warm-up."""

from __future__ import annotations

from raysl.config.component import Component
from raysl.training.warmup import Schedule, WarmupOptions, check_warmup, with_warmup


class ConstantOptions(WarmupOptions):
    """Options of the constant schedule."""


def _build(options: ConstantOptions, total_steps: int, steps_per_epoch: int) -> Schedule:
    return with_warmup(options, total_steps, steps_per_epoch, lambda done: 1.0)


COMPONENT = Component(kind="schedule", options=ConstantOptions, build=_build, check=check_warmup)
