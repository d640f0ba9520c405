"""The base of pair samplers: where in a video the clips of a view are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from raysl.config.cell import CellConfig
from raysl.config.sections import ClipOptions
from raysl.views.augmentation_options import Box
from raysl.views.placement import Placement

PLAYBACK = "playback_rate"
"""Name of the answer that is the index of the pair's rate in ``sampling.playback_rates``."""


@dataclass(frozen=True)
class Pair:
    """A sampled pair.

    Attributes:
        placements: of ``query`` and ``key``.
        boxes: by view, crops to use instead of the augmentation's own.
        targets: answers for pretext tasks, by name.
    """

    placements: dict[str, Placement]
    boxes: dict[str, Box] = field(default_factory=dict)
    targets: dict[str, int] = field(default_factory=dict)


class PairSampler(ABC):
    """Base of every pair sampler: ``COMPONENT.build(options, clip: ClipOptions) -> PairSampler``.

    With augmentation in time, ``clip`` has the frames that it chooses from.
    """

    def __init__(self, clip: ClipOptions) -> None:
        self.clip = clip

    @property
    def strides(self) -> tuple[int, ...]:
        """Possible strides of its clips, in frames; a video shorter than a clip at the smallest stride is too short."""
        return (self.clip.stride,)

    @property
    def span(self) -> int:
        """Frames of a video below which its playback rate is not drawn."""
        return self.clip.span

    @property
    def classes(self) -> Mapping[str, int]:
        """The number of classes of each answer that `pair` gives, by name."""
        return {}

    def pair(self, length: int, size: tuple[int, int], generator: np.random.Generator) -> Pair:
        """The placements of both clips, and what else the sampler sets.

        Args:
            size: height and width of the frames, pixels.
        """
        return Pair(self.place(length, generator))

    @abstractmethod
    def place(self, length: int, generator: np.random.Generator) -> dict[str, Placement]:
        """Placements of ``query`` and ``key``, each of ``clip.raw_frames``, in a video of ``length`` frames."""


def pair_sampler(cell: CellConfig) -> PairSampler | None:
    """The cell's pair sampler at the smallest playback rate; None if it has none, or is supervised."""
    return next(iter(pair_samplers(cell)), None)


def pair_samplers(cell: CellConfig) -> list[PairSampler]:
    """A pair sampler for each of ``sampling.playback_rates``."""
    if cell.sampling.pair is None or cell.pretraining == "supervised":
        return []
    return [cell.sampling.pair.build(clip) for clip in placed_clips(cell)]


def placed_clips(cell: CellConfig) -> list[ClipOptions]:
    """The clip as it is placed in a video, at each of ``sampling.playback_rates``."""
    clip = cell.placed_clip
    return [clip.model_copy(update={"stride": clip.stride * rate}) for rate in cell.sampling.playback_rates]


def draw_rate(spans: Sequence[int], length: int, generator: np.random.Generator) -> int:
    """The index of one that fits a video of ``length`` frames, all equally likely; 0 if none does."""
    fitting = [rate for rate, span in enumerate(spans) if span <= length] or [0]
    return fitting[int(generator.random() * len(fitting))]


def pair_classes(cell: CellConfig) -> dict[str, int]:
    """The number of classes of each target that the placement of the pair determines; see `Pair.targets`."""
    sampler, rates = pair_sampler(cell), len(cell.sampling.playback_rates)
    if sampler is None:
        return {}
    return {**sampler.classes, **({PLAYBACK: rates} if rates > 1 else {})}
