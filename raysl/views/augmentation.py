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
    """Attributes: clip: ``[3, T, H, W]`` float32 in [0, 1]. box: (top, left, height, width) as shares of the frame."""

    clip: Tensor
    box: tuple[float, float, float, float]


class Followed(NamedTuple):
    """What boxes of people need to follow a clip. Attributes: augmented: as of a call. flipped: left and right were
    exchanged, behind the crop.
    """

    augmented: Augmented
    flipped: bool


class AugmentationOptions(Options):
    """Base of the options of every augmentation that can stand in a pretraining configuration."""

    temporal: TemporalOptions = option(
        TemporalOptions(), doc="augmentation in time of the pair's views", source="printed: SSTL; elsewhere none"
    )


class Augmentation(ABC):
    """Base of every augmentation: ``COMPONENT.build(options, clip: ClipOptions) -> Augmentation``."""

    @abstractmethod
    def __call__(
        self, frames: Tensor, generator: np.random.Generator, view: str = "query", box: Box | None = None
    ) -> Augmented:
        """One draw serves all frames unless the options say otherwise.

        Args:
            frames: ``[T, 3, H, W]`` uint8, decoded and resized.
            generator: of this video, epoch and view.
            view: the view's name; only an asymmetric augmentation treats ``key`` otherwise than the rest. It moves no
                draw.
            box: (top, left, height, width) in pixels, in the place of a crop of its own; it moves no draw.
        """

    @property
    def keeps_boxes(self) -> bool:
        """Whether one crop and one flip are all that moves the pixels of a clip, so that boxes can follow."""
        return False

    def followed(self, frames: Tensor, generator: np.random.Generator) -> Followed:
        """As a call, with the same draws, which also tells of the flip. Only where it `keeps_boxes`."""
        raise NotImplementedError(f"boxes cannot follow {type(self).__name__}")
