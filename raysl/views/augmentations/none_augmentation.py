"""The augmentation `none`; its options and sources stand in `raysl.views.augmentations.none`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from raysl.config.sections import ClipOptions
from raysl.views.augmentation import Cropped, Followed, TwoStepAugmentation
from raysl.views.augmentation_options import Box
from raysl.views.augmentations.none import NoneOptions
from raysl.views.center_crop import center_box, center_square
from raysl.views.pixel_operations import crop_and_flip


class NoAugmentation(TwoStepAugmentation):
    """The centre crop that evaluation uses; draws nothing."""

    def __init__(self, clip: ClipOptions) -> None:
        self.size = clip.size

    @property
    def keeps_boxes(self) -> bool:
        return True

    def followed(self, frames: Tensor, generator: np.random.Generator) -> Followed:
        return Followed(self.crop(frames, generator), False)

    def crop(
        self, frames: Tensor, generator: np.random.Generator, view: str = "query", box: Box | None = None
    ) -> Cropped:
        height, width = frames.shape[-2:]
        if box is not None:
            shares = (box[0] / height, box[1] / width, box[2] / height, box[3] / width)
            return Cropped(crop_and_flip(frames, box, False, self.size), (None,), shares)
        return Cropped(center_square(frames, self.size), (None,), center_box(height, width))

    def finish(self, pixels: Tensor, drawn: None, first: int = 0) -> Tensor:
        return pixels

    def finish_all(self, pixels: Tensor, drawn: Sequence[None]) -> Tensor:
        return pixels


def build(options: NoneOptions, clip: ClipOptions) -> NoAugmentation:
    return NoAugmentation(clip)
