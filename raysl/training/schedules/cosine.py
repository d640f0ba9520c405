"""Half a cosine from the base rate downwards, after a linear warm-up (Loshchilov and Hutter 2017, without restarts)."""

from __future__ import annotations

import math

from raysl.config.component import Component
from raysl.config.options import option
from raysl.training.warmup import Schedule, WarmupOptions, check_warmup, with_warmup


class CosineOptions(WarmupOptions):
    """Options of the cosine schedule."""

    final_factor: float = option(
        0.0,
        doc="factor of the base rate that the cosine ends at",
        source="[P] CVRL, half cosine; [C] ends at 0",
        ge=0,
        le=1,
    )


def _build(options: CosineOptions, total_steps: int, steps_per_epoch: int) -> Schedule:
    """The end of the cosine is one step behind the last, so that no step is lost at rate 0."""

    def cosine(done: float) -> float:
        return options.final_factor + (1 - options.final_factor) * (1 + math.cos(math.pi * done)) / 2

    return with_warmup(options, total_steps, steps_per_epoch, cosine)


COMPONENT = Component(kind="schedule", options=CosineOptions, build=_build, check=check_warmup)
