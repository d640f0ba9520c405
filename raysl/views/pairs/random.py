"""Two clips of the pair at two independent uniform times.

Their distance then follows CVRL's decreasing law with exponent 1 (see `raysl.views.pairs.interval`), not its uniform.
"""

from __future__ import annotations

import numpy as np

from raysl.config.component import Component
from raysl.config.options import Options
from raysl.config.sections import ClipOptions
from raysl.views.pair_sampler import PairSampler
from raysl.views.placement import Placement, uniform_start


class RandomOptions(Options):
    """No options."""


class RandomPair(PairSampler):
    """An independent uniform start for each clip."""

    def place(self, length: int, generator: np.random.Generator) -> dict[str, Placement]:
        return {
            name: Placement(uniform_start(length, self.clip, generator), self.clip.raw_frames, self.clip.stride)
            for name in ("query", "key")
        }


def build(options: RandomOptions, clip: ClipOptions) -> RandomPair:
    return RandomPair(clip)


COMPONENT = Component(kind="pair sampler", options=RandomOptions, build=build)
