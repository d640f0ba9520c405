"""Two clips of the pair at a random distance in time, near ones more often (CVRL 7.2).

Of M possible starts, the distance t is drawn from a law on [0, M), then the first start uniformly from [0, M - t). With
u = t / M and exponent p, the cumulative distributions are

- decreasing: ``F(u) = ((p + 1) u - u^(p + 1)) / p``, mean ``(p + 1) / (2 (p + 2))``: 1/3 for p = 1;
- uniform: ``F(u) = u``, mean 1/2;
- increasing: ``F(u) = u^(p + 1)``, mean ``(p + 1) / (p + 2)``: 2/3 for p = 1.

The paper's ``P(t) = a t^b + c`` is this family, as the code writes it. Both search t by halving integers: Algorithm 2
never gives 0, the code's loop never M - 1. Here F is inverted exactly and t rounded down (inferred). The decreasing law
with p = 1 makes all pairs of starts equally likely, so it equals the pair sampler ``random`` up to rounding.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from pydantic import model_validator

from raysl.config.component import Component
from raysl.config.options import NO_UNIT, Options, option
from raysl.config.sections import ClipOptions
from raysl.views.pair_sampler import PairSampler
from raysl.views.placement import Placement

Law = Literal["decreasing", "uniform", "increasing"]


class IntervalOptions(Options):
    """How likely each distance is, and which clip comes first."""

    law: Law = option(
        "decreasing", doc="how the probability changes with the distance", source="printed: CVRL Figure 3"
    )
    exponent: float = option(
        1.0,
        doc="p of the law, see the module; without effect on uniform",
        unit=NO_UNIT,
        source="code: CVRL: power 1, linear",
        gt=0,
        le=8,
    )
    order: Literal["random", "forward"] = option(
        "random", doc="random: either clip may be the query; forward: the query comes first", source="code: CVRL 7.2"
    )

    @model_validator(mode="after")
    def _exponent_in_use(self) -> IntervalOptions:
        if self.law == "uniform" and self.exponent != 1.0:
            raise ValueError(f"law: uniform has no exponent; remove exponent {self.exponent}")
        return self


class IntervalPair(PairSampler):
    """Starts a drawn distance apart; in a video too short for that, two independent ones that wrap around (code)."""

    def __init__(self, options: IntervalOptions, clip: ClipOptions) -> None:
        super().__init__(clip)
        self.options = options

    def place(self, length: int, generator: np.random.Generator) -> dict[str, Placement]:
        share, swap = generator.random(2)
        starts = self._starts(length, float(share), generator)
        if self.options.order == "random" and swap < 0.5:
            starts = starts[::-1]
        return {
            name: Placement(start, self.clip.raw_frames, self.clip.stride)
            for name, start in zip(("query", "key"), starts, strict=True)
        }

    def _starts(self, length: int, share: float, generator: np.random.Generator) -> tuple[int, int]:
        possible = length - self.clip.span + 1
        if possible < 1:
            first, second = sorted(generator.integers(length, size=2).tolist())
            return first, second
        distance = min(int(possible * inverse(self.options.law, self.options.exponent, share)), possible - 1)
        first = int(generator.integers(possible - distance))
        return first, first + distance


def inverse(law: Law, exponent: float, share: float) -> float:
    """The u in [0, 1] with ``F(u) = share``, by its formula, or by bisection until no float lies between.

    Args:
        law, exponent: as in `IntervalOptions`.
        share: in [0, 1].
    """
    if law == "uniform":
        return share
    if law == "increasing":
        return float(share ** (1.0 / (exponent + 1.0)))
    if exponent == 1.0:
        return 1.0 - math.sqrt(1.0 - share)
    low, high = 0.0, 1.0
    middle = 0.5
    while low < middle < high:
        if ((exponent + 1.0) * middle - middle ** (exponent + 1.0)) / exponent < share:
            low = middle
        else:
            high = middle
        middle = (low + high) / 2.0
    return middle


def build(options: IntervalOptions, clip: ClipOptions) -> IntervalPair:
    return IntervalPair(options, clip)


COMPONENT = Component(kind="pair sampler", options=IntervalOptions, build=build)
