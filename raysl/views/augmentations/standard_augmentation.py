"""The augmentation `standard`; its options and sources stand in `raysl.views.augmentations.standard`."""

from __future__ import annotations

import numpy as np

from raysl.config.sections import ClipOptions
from raysl.views.augmentations.colored import FollowedAugmentation, draw_crop_and_color
from raysl.views.augmentations.standard import StandardOptions
from raysl.views.pixel_operations import Parameters


class StandardAugmentation(FollowedAugmentation):
    """Crop and resize on uint8 (bilinear, antialiased), flip, then jitter in random order and grey on float."""

    def __init__(self, options: StandardOptions, clip: ClipOptions) -> None:
        super().__init__(options.temporally_consistent, clip.size)
        self.options = options

    def draw(self, height: int, width: int, generator: np.random.Generator, view: str = "query") -> Parameters:
        return draw_crop_and_color(self.options, height, width, generator, log_aspect=True)


def build(options: StandardOptions, clip: ClipOptions) -> StandardAugmentation:
    return StandardAugmentation(options, clip)
