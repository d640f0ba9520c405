"""Augmentation of one clip: parameters first (on CPU, from a stream), pixels second (anywhere)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
from torch import Tensor

from raysl.config.options import Options, option
from raysl.config.sections import TemporalOptions

Box = tuple[int, int, int, int]


class Augmented(NamedTuple):
    """An augmented clip.

    Attributes:
        clip: ``[3, T, H, W]`` float32 in [0, 1].
        box: its crop, (top, left, height, width) as shares of the frame.
    """

    clip: Tensor
    box: tuple[float, float, float, float]


class Followed(NamedTuple):
    """An augmented clip with what boxes of people need to follow it.

    Attributes:
        augmented: as a call returns it.
        flipped: left and right were exchanged, after the crop.
    """

    augmented: Augmented
    flipped: bool


class AugmentationOptions(Options):
    """Base of the options of every augmentation that can be used in pretraining."""

    temporal: TemporalOptions = option(
        TemporalOptions(), doc="augmentation in time of the pair's views", source="printed: SSTL; elsewhere none"
    )


class Augmentation(ABC):
    """Base of every augmentation: ``COMPONENT.build(options, clip: ClipOptions) -> Augmentation``."""

    @abstractmethod
    def __call__(
        self, frames: Tensor, generator: np.random.Generator, view: str = "query", box: Box | None = None
    ) -> Augmented:
        """Augments a clip, with one draw for all frames unless the options choose otherwise.

        Args:
            frames: ``[T, 3, H, W]`` uint8, decoded and resized.
            generator: of this video, epoch and view.
            view: the view's name; only an asymmetric augmentation treats ``key`` differently. It does not change the
                draws.
            box: (top, left, height, width) in pixels, used instead of a drawn crop; it does not change the draws.
        """

    @property
    def keeps_boxes(self) -> bool:
        """Whether pixels are moved only by one crop and one flip of the whole clip, so that boxes can follow."""
        return False

    def followed(self, frames: Tensor, generator: np.random.Generator) -> Followed:
        """As a call, with the same draws, and also returns whether it flipped. Only if it `keeps_boxes`."""
        raise NotImplementedError(f"boxes cannot follow {type(self).__name__}")
