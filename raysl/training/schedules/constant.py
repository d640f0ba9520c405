"""The base rate throughout, after a linear warm-up."""

from __future__ import annotations

from raysl.config.component import Component
from raysl.training.warmup import WarmedUp, WarmupOptions, check_warmup


class ConstantOptions(WarmupOptions):
    """Options of the constant schedule."""


class Constant(WarmedUp):
    """A factor of 1."""

    def after_warmup(self, step: int) -> float:
        return 1.0


COMPONENT = Component(kind="schedule", options=ConstantOptions, build=Constant, check=check_warmup)
