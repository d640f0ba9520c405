"""Two clips of the pair at independent uniform times, each at its own stride (TCLR D.5).

The paper finds that an instance pair at different skip rates teaches less than one at equal rates; the set
of rates is not in our source text, so the one here is ours.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from raysl.config.component import Component
from raysl.config.options import Options, option
from raysl.config.sections import ClipOptions
from raysl.views.pair_sampler import PairSampler
from raysl.views.placement import Placement, uniform_start


class SkipsOptions(Options):
    """The strides, and whether both clips share one. ``clip.stride`` does not place the pair."""

    skips: tuple[Annotated[int, Field(ge=1, le=64)], ...] = option(
        (1, 2, 4, 8),
        doc="strides to draw from, all equally likely; those at which a clip does not fit the video are not drawn",
        unit="frames",
        source="ours: TCLR D.5 draws them; the set is not in our source text",
        min_length=1,
    )
    same: bool = option(False, doc="one draw for both clips", source="printed: TCLR D.5: different skip rates")


class SkipsPair(PairSampler):
    """A stride and a start for each clip.

    If no stride fits the video both clips have the smallest, and wrap around. ``same`` does not change the query.
    """

    def __init__(self, options: SkipsOptions, clip: ClipOptions) -> None:
        super().__init__(clip)
        self.options = options
        self._clips = {skip: clip.model_copy(update={"stride": skip}) for skip in options.skips}

    @property
    def strides(self) -> tuple[int, ...]:
        return self.options.skips

    def place(self, length: int, generator: np.random.Generator) -> dict[str, Placement]:
        fitting = [skip for skip in self.strides if self._clips[skip].span <= length] or [min(self.strides)]
        query, key = (fitting[int(share * len(fitting))] for share in generator.random(2).tolist())
        strides = {"query": query, "key": query if self.options.same else key}
        return {
            name: Placement(uniform_start(length, self._clips[stride], generator), self.clip.raw_frames, stride)
            for name, stride in strides.items()
        }


def build(options: SkipsOptions, clip: ClipOptions) -> SkipsPair:
    return SkipsPair(options, clip)


COMPONENT = Component(kind="pair sampler", options=SkipsOptions, build=build)
