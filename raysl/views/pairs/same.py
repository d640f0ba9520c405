"""Both clips of the pair from the same frames: the pair differs by augmentation alone (CVRL Table 9, temporal off)."""

from __future__ import annotations

import numpy as np

from raysl.config.component import Component
from raysl.config.options import Options
from raysl.config.sections import ClipOptions
from raysl.views.pair_sampler import PairSampler
from raysl.views.placement import Placement, uniform_start


class SameOptions(Options):
    """No options."""


class SamePair(PairSampler):
    """One uniform start for both clips."""

    def place(self, length: int, generator: np.random.Generator) -> dict[str, Placement]:
        placement = Placement(uniform_start(length, self.clip, generator), self.clip.raw_frames, self.clip.stride)
        return {"query": placement, "key": placement}


def build(options: SameOptions, clip: ClipOptions) -> SamePair:
    return SamePair(clip)


COMPONENT = Component(kind="pair sampler", options=SameOptions, build=build)
