"""The options that all protocols on frozen features share."""

from __future__ import annotations

from typing import Literal

from raysl.config.options import option
from raysl.evaluation.clip_options import ReadOptions


class FeatureOptions(ReadOptions):
    """How the features of a video are made; evaluations that agree in these share one extraction.

    ``version`` here enters the id of every evaluation on features: raise it when extraction computes something else.
    """

    clips: int = option(
        5,
        doc="clips of a video whose features are averaged, spread evenly over its length",
        unit="clips",
        source="[P] SSTL 5; TaCo, TCLR, CSTP 10",
        ge=1,
        le=100,
    )
    train_clips: int | None = option(
        None,
        doc="clips of a training video, which a probe learns on and retrieval searches; null: as many as of a test "
        "video",
        unit="clips",
        source="[?]; [P] TCLR Figures 7, 11, 12 vary those of test videos alone",
        ge=1,
        le=100,
    )
    pool: Literal["all", "space"] = option(
        "all",
        doc="what of a feature map is averaged: all of it; space alone, so that the timesteps stand side by side in a "
        "feature of channels * timesteps",
        source="[?]; [P] TCLR retrieval: space",
    )
    normalize_clips: bool = option(
        False, doc="a clip's feature is brought to unit length before the mean over clips", source="[P] CSTP: on"
    )

    def clips_of(self, split: str) -> int:
        """Clips of a video of this split."""
        return self.clips if split == "test" or self.train_clips is None else self.train_clips
