"""Two clips that share a drawn part of their time and of their picture (STOR; CSTP, arXiv:2112.08913, and its code).

An overlap rate is the shared part by the size of one clip, not by the union: of its duration, first frame to last, and
of its crop's area. Both rates are drawn from `candidates`, independently; their indices are the answers of tasks.

In time: the first start is uniform, the second is ``floor((1 - rate) * duration)`` frames before or after it. In
space: a random first crop; the second has its size, and shares with it a rectangle of ``w`` times
``floor(rate * area / w)`` pixels, w uniform from ``floor(rate * width)`` to the width, at one of its corners.

A second clip or crop may leave the video or the frame:

- ``released`` (code): its rate is drawn again with the rest of it, the first one is kept. Large overlaps fit more
  often, so labels are far from uniform: on UCF101 two of three crops have rate 1 (simulated).
- ``balanced`` (ours): labels are uniform. Whatever the label, the first clip or crop is drawn until the smallest
  candidate fits next to it, so that its size and position give no clue; the second one is any that fits. Which of the
  two is the query is drawn too. A weak clue remains: of two crops with a medium overlap one is further inside than any
  crop with the smallest, so the position of a crop in its frame, if the picture shows it, is informative; the same
  holds in time, more for shorter videos. (If the rate were kept and the rest drawn again, a small overlap would go with
  a small crop, and the size alone would predict 37 to 39 % of five labels.)

The code departs from the paper: both its LMDB data sets read the second clip at the first one's start, so the temporal
label is noise there, and it turns the whole frame before the crops. Here boxes are of the unturned frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, TypeVar

import numpy as np
from pydantic import Field, model_validator

from raysl.config.component import Component
from raysl.config.options import Options, option
from raysl.config.sections import ClipOptions
from raysl.errors import ConfigError
from raysl.views.augmentation_options import Box
from raysl.views.overlapping_crops import floor, inside, second_crop, second_crops
from raysl.views.pair_sampler import Pair, PairSampler
from raysl.views.placement import Placement, uniform_start
from raysl.views.random_crop import draw_crop

AnyChoice = TypeVar("AnyChoice")
SPATIAL, TEMPORAL = "spatial_overlap", "temporal_overlap"
"""Names of the answers, which are indices into `OverlapOptions.candidates`."""
TRIES, CROPS = 1000, 2000
"""Draws at most. Released: of second crops, of which those near 1 hardly ever miss; balanced: of first crops (ours)."""
NEARLY_ONE = 0.95
"""The least value of the largest candidate: if no second clip fits, both clips are equal and get its label."""


class OverlapOptions(Options):
    """Overlap rates and the first crop."""

    candidates: tuple[Annotated[float, Field(gt=0, le=1)], ...] = option(
        (0.2, 0.4, 0.6, 0.8, 1.0),
        doc="overlap rates, increasing, the last 0.95 or more",
        unit="share of a clip",
        source="printed: CSTP Table 4",
        min_length=2,
    )
    label_balance: Literal["released", "balanced"] = option(
        "released", doc="what is drawn again if the second clip does not fit; see the module", source="code: CSTP"
    )
    min_area: float = option(
        0.2, doc="smallest area of the first crop", unit="share of the frame", source="code: CSTP", gt=0, le=1
    )
    max_area: float = option(
        1.0, doc="largest area of the first crop", unit="share of the frame", source="code: CSTP", gt=0, le=1
    )
    min_aspect: float = option(
        0.75,
        doc="least aspect, width by height; between the two uniform, with probability 1/2 height by width",
        unit="width / height",
        source="code: CSTP: 3/4",
        gt=0,
        le=10,
    )
    max_aspect: float = option(
        4 / 3, doc="largest aspect of a crop", unit="width / height", source="code: CSTP: 4/3", gt=0, le=10
    )

    @model_validator(mode="after")
    def _ordered(self) -> OverlapOptions:
        if list(self.candidates) != sorted(set(self.candidates)):
            raise ValueError(f"candidates must increase: {list(self.candidates)}")
        if self.candidates[-1] < NEARLY_ONE:
            raise ValueError(
                f"the last of candidates {list(self.candidates)} must be {NEARLY_ONE} or more: it is the label of "
                "equal clips, as in a short video"
            )
        if self.min_area > self.max_area:
            raise ValueError(f"min_area {self.min_area} is larger than max_area {self.max_area}")
        if self.min_aspect > self.max_aspect:
            raise ValueError(f"min_aspect {self.min_aspect} is larger than max_aspect {self.max_aspect}")
        return self


class OverlapPair(PairSampler):
    """Pairs with drawn overlaps. The query is the first clip drawn; balanced: either.

    A video shorter than a clip gives two equal clips that wrap around, with the last label (code).
    """

    def __init__(self, options: OverlapOptions, clip: ClipOptions) -> None:
        super().__init__(clip)
        self.options = options
        self._balanced = options.label_balance == "balanced"
        self._last = len(options.candidates) - 1
        self._offsets = [floor((1 - rate) * (clip.span - 1)) for rate in options.candidates]

    @property
    def span(self) -> int:
        """Balanced: long enough for every label; otherwise rates with long clips would only have large overlaps."""
        return self.clip.span + (max(self._offsets) if self._balanced else 0)

    @property
    def classes(self) -> Mapping[str, int]:
        return dict.fromkeys((SPATIAL, TEMPORAL), len(self.options.candidates))

    def pair(self, length: int, size: tuple[int, int], generator: np.random.Generator) -> Pair:
        """Boxes in frames of this ``size``; balanced: raises ConfigError if no crop leaves room for the other."""
        starts, temporal = self._in_time(length, generator)
        query, key, spatial = (self._balanced_crops if self._balanced else self._released_crops)(size, generator)
        return Pair(self._placements(starts), {"query": query, "key": key}, {SPATIAL: spatial, TEMPORAL: temporal})

    def place(self, length: int, generator: np.random.Generator) -> dict[str, Placement]:
        return self._placements(self._in_time(length, generator)[0])

    def _placements(self, starts: tuple[int, int]) -> dict[str, Placement]:
        return {
            name: Placement(start, self.clip.raw_frames, self.clip.stride)
            for name, start in zip(("query", "key"), starts, strict=True)
        }

    def _in_time(self, length: int, generator: np.random.Generator) -> tuple[tuple[int, int], int]:
        """Both starts, and the label."""
        possible = length - self.clip.span + 1
        if possible < 1:
            start = uniform_start(length, self.clip, generator)
            return (start, start), self._last
        return (self._balanced_starts if self._balanced else self._released_starts)(possible, generator)

    def _released_starts(self, possible: int, generator: np.random.Generator) -> tuple[tuple[int, int], int]:
        first = int(generator.integers(possible))
        # Drawing label and direction until they fit is drawing one of those that fit.
        fitting = [
            (second, label)
            for label, offset in enumerate(self._offsets)
            for second in (first - offset, first + offset)
            if 0 <= second < possible
        ]
        second, label = _one_of(fitting or [(first, self._last)], generator)
        return (first, second), label

    def _balanced_starts(self, possible: int, generator: np.random.Generator) -> tuple[tuple[int, int], int]:
        # Only the shortest videos exclude some labels; the last offset is nearly zero.
        labels = [label for label, offset in enumerate(self._offsets) if offset < possible] or [self._last]
        label, farthest = _one_of(labels, generator), min(self._offsets[labels[0]], possible - 1)
        first = _one_of([at for at in range(possible) if at >= farthest or at + farthest < possible], generator)
        offset = min(self._offsets[label], possible - 1)
        second = _one_of([place for place in (first - offset, first + offset) if 0 <= place < possible], generator)
        return _swapped(first, second, generator), label

    def _released_crops(self, size: tuple[int, int], generator: np.random.Generator) -> tuple[Box, Box, int]:
        first = self._first_crop(size, generator)
        for _ in range(TRIES):
            label = int(generator.integers(self._last + 1))
            second = second_crop(first, self.options.candidates[label], generator)
            if inside(second, size):
                return first, second, label
        return first, first, self._last

    def _balanced_crops(self, size: tuple[int, int], generator: np.random.Generator) -> tuple[Box, Box, int]:
        label = int(generator.integers(self._last + 1))
        smallest = self.options.candidates[0]
        for _ in range(CROPS):
            first = self._first_crop(size, generator)
            if second_crops(first, smallest, size):
                second = _one_of(second_crops(first, self.options.candidates[label], size), generator)
                return *_swapped(first, second, generator), label
        raise ConfigError(
            f"sampling.pair: none of {CROPS} first crops leaves room for a second one of overlap rate {smallest} in "
            f"frames of {size[0]}x{size[1]} pixels; lower min_area {self.options.min_area}, or say label_balance: "
            "released"
        )

    def _first_crop(self, size: tuple[int, int], generator: np.random.Generator) -> Box:
        o = self.options
        area, aspect = (o.min_area, o.max_area), (o.min_aspect, o.max_aspect)
        return draw_crop(*size, area, aspect, generator, log_aspect=False, swap=True)


def _swapped(one: AnyChoice, other: AnyChoice, generator: np.random.Generator) -> tuple[AnyChoice, AnyChoice]:
    return (one, other) if generator.random() < 0.5 else (other, one)


def _one_of(choices: Sequence[AnyChoice], generator: np.random.Generator) -> AnyChoice:
    return choices[int(generator.random() * len(choices))]


def build(options: OverlapOptions, clip: ClipOptions) -> OverlapPair:
    return OverlapPair(options, clip)


COMPONENT = Component(kind="pair sampler", options=OverlapOptions, build=build)
