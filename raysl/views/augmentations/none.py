"""No random spatial operation: centre crop and resize (inferred: CVRL Table 9, spatial off)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from raysl.config.component import Component
from raysl.config.sections import ClipOptions
from raysl.views.augmentation import Augmentation, AugmentationOptions, Augmented, Box, Followed
from raysl.views.center_crop import center_box, center_crop
from raysl.views.pixel_operations import crop_and_flip


class NoneOptions(AugmentationOptions):
    """No spatial options."""


class NoAugmentation(Augmentation):
    """The centre crop that evaluation uses; draws nothing."""

    def __init__(self, clip: ClipOptions) -> None:
        self.size = clip.size

    @property
    def keeps_boxes(self) -> bool:
        return True

    def followed(self, frames: Tensor, generator: np.random.Generator) -> Followed:
        return Followed(self(frames, generator), False)

    def __call__(
        self, frames: Tensor, generator: np.random.Generator, view: str = "query", box: Box | None = None
    ) -> Augmented:
        if box is not None:
            height, width = frames.shape[-2:]
            pixels = crop_and_flip(frames, box, False, self.size).to(torch.float32).div_(255.0).transpose(0, 1)
            return Augmented(pixels, (box[0] / height, box[1] / width, box[2] / height, box[3] / width))
        return Augmented(center_crop(frames, self.size), center_box(frames.shape[-2], frames.shape[-1]))


def build(options: NoneOptions, clip: ClipOptions) -> NoAugmentation:
    return NoAugmentation(clip)


COMPONENT = Component(kind="augmentation", options=NoneOptions, build=build)
