"""Where in a video the clips of a view lie."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np


class Placement(NamedTuple):
    """Frames ``start + stride * i`` for i in 0..frames-1; an index past the end wraps around (a video too short).

    Attributes:
        start: frame index. frames: how many. stride: frames.
    """

    start: int
    frames: int
    stride: int

    def indices(self, length: int) -> list[int]:
        """Frame indices in a video of ``length`` frames, wrapped around where it is too short (CVRL 7.2 [C])."""
        return [(self.start + self.stride * i) % length for i in range(self.frames)]

    def center(self, length: int) -> float:
        """The middle of the clip as a share of the video's length, 0 to 1."""
        return min((self.start + self.stride * (self.frames - 1) / 2) / length, 1.0)


class PairSampler(ABC):
    """Base of every pair sampler: ``COMPONENT.build(options, clip: ClipOptions) -> PairSampler``."""

    @abstractmethod
    def place(self, length: int, generator: np.random.Generator) -> dict[str, Placement]:
        """Where ``query`` and ``key``, each of ``clip.raw_frames``, lie in a video of ``length`` frames."""
