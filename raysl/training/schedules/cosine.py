"""Half a cosine from the base rate downwards, after a linear warm-up (Loshchilov and Hutter 2017, without restarts)."""

from __future__ import annotations

import math

from raysl.config.component import Component
from raysl.config.options import NO_UNIT, option
from raysl.training.warmup import WarmedUp, WarmupOptions, check_warmup


class CosineOptions(WarmupOptions):
    """Options of the cosine schedule."""

    final_factor: float = option(
        0.0,
        doc="factor of the base rate that the cosine ends at",
        unit=NO_UNIT,
        source="printed: CVRL, half cosine; code: ends at 0",
        ge=0,
        le=1,
    )


class Cosine(WarmedUp):
    """The cosine ends one step after the last, so that no step is wasted at rate 0."""

    def __init__(self, options: CosineOptions, total_steps: int, steps_per_epoch: int) -> None:
        super().__init__(options, total_steps, steps_per_epoch)
        self.final_factor = options.final_factor

    def after_warmup(self, step: int) -> float:
        return self.final_factor + (1 - self.final_factor) * (1 + math.cos(math.pi * self.done(step))) / 2


COMPONENT = Component(kind="schedule", options=CosineOptions, build=Cosine, check=check_warmup)
