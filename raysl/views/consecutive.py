"""Consecutive short clips of equal span, stride and distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from raysl.config.cell import CellConfig
from raysl.config.sections import ClipOptions
from raysl.errors import ConfigError
from raysl.views.placement import Placement
from raysl.views.task_views import VideoPlan


@dataclass(frozen=True)
class Consecutive:
    """Clips of half the frames of the cell's clips, rounded down (TaCo: t / 2).

    Attributes:
        clips: how many.
        gap: left out between one and the next, as a share of a clip's frames.
    """

    clips: int
    gap: float = 0.0

    def frames(self, clip: ClipOptions) -> int:
        """Frames of each clip, as the network reads them."""
        return clip.frames // 2

    def span(self, clip: ClipOptions) -> int:
        """Frames of video from the first clip's first to the last clip's last, both counted."""
        return clip.model_copy(update={"frames": self._frames_of_all(clip)}).span

    def place(self, plan: VideoPlan, generator: np.random.Generator) -> list[Placement]:
        """In temporal order, with their common span at a uniform position; in a shorter video they wrap around.

        If frames are subtracted and there is no gap, the last raw frame of a clip is the first of the next.
        """
        clip = plan.clip
        whole = plan.place(generator, frames=self._frames_of_all(clip))
        raw_frames = clip.model_copy(update={"frames": self.frames(clip)}).raw_frames
        starts = [whole.start + index * self._step(clip) * clip.stride for index in range(self.clips)]
        return [whole._replace(start=start, frames=raw_frames) for start in starts]

    def check(self, task: str, cell: CellConfig) -> None:
        """Refuses clips of fewer than two frames, which have no order.

        Raises:
            ConfigError: naming the task and clip.frames.
        """
        if self.frames(cell.clip) < 2:
            raise ConfigError(
                f"objective.pretext.{task} shows clips of half of clip.frames {cell.clip.frames}, which have no order; "
                "set clip.frames to 4 or more"
            )

    def _step(self, clip: ClipOptions) -> int:
        frames = self.frames(clip)
        return frames + round(self.gap * frames)

    def _frames_of_all(self, clip: ClipOptions) -> int:
        return (self.clips - 1) * self._step(clip) + self.frames(clip)
