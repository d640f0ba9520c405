"""Where in a video a clip is, and where it may start."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from raysl.config.sections import ClipOptions


class Placement(NamedTuple):
    """Frames ``start + stride * i`` for i in 0..frames-1, or those of them that augmentation in time kept.

    Attributes:
        start: frame index.
        frames: how many.
        stride: in frames.
        past_end: how an index past the end of a too short video is read: it wraps around (code: CVRL 7.2), or the
            frames are reflected at the end (code: TCLR 4.1).
        kept: the i that are left, in the clip's order; None: all, ascending.
        distortion: playback rate that augmentation in time drew; 1: none.
    """

    start: int
    frames: int
    stride: int
    past_end: Literal["wrap", "reflect"] = "wrap"
    kept: tuple[int, ...] | None = None
    distortion: float = 1.0

    def indices(self, length: int) -> list[int]:
        """Frame indices in a video of ``length`` frames."""
        positions = [self.start + self.stride * i for i in self._kept]
        if self.past_end == "wrap":
            return [position % length for position in positions]
        return [_reflected(position, length) for position in positions]

    def center(self, length: int) -> float:
        """The middle of the clip as a share of the video's length, 0 to 1."""
        return min((self.start + self.stride * (min(self._kept) + max(self._kept)) / 2) / length, 1.0)

    def backwards(self) -> Placement:
        """The same frames in the opposite order."""
        return self._replace(kept=tuple(reversed(self._kept)))

    @property
    def rate(self) -> float:
        """Frames of video per frame of clip, as drawn."""
        return self.stride * self.distortion

    @property
    def _kept(self) -> tuple[int, ...] | range:
        return range(self.frames) if self.kept is None else self.kept


def _reflected(position: int, length: int) -> int:
    """Back and forth between the first and the last frame, neither of which is repeated."""
    period = max(2 * (length - 1), 1)
    position %= period
    return min(position, period - position) if length > 1 else 0


def uniform_start(length: int, clip: ClipOptions, generator: np.random.Generator) -> int:
    """A start drawn uniformly so that the clip is inside a video of ``length`` frames.

    A video shorter than the clip's span starts anywhere in it and wraps around (code: CVRL 7.2).
    """
    starts = length - clip.span + 1
    return int(generator.integers(starts if starts > 0 else length))
