"""Random resized crop, flip, colour jitter and grey, by default one draw for all frames of a clip (CVRL 7.3)."""

from __future__ import annotations

import numpy as np

from raysl.config.component import Component
from raysl.config.options import option
from raysl.config.sections import ClipOptions
from raysl.views.augmentations.colored import ColorOptions, FollowedAugmentation, draw_crop_and_color
from raysl.views.pixel_operations import Parameters


class StandardOptions(ColorOptions):
    """Strengths; zero switches an operation off. Its draw is still made, so the others do not move."""

    min_aspect: float = option(
        0.5,
        doc="narrowest crop, width by height; between the two log-uniform",
        unit="width / height",
        source="printed: CVRL Algorithm 1; code: log-uniform: torchvision",
        gt=0,
        le=10,
    )


class StandardAugmentation(FollowedAugmentation):
    """Crop and resize on uint8 (bilinear, antialiased), flip, then jitter in random order and grey on float."""

    def __init__(self, options: StandardOptions, clip: ClipOptions) -> None:
        super().__init__(options.temporally_consistent, clip.size)
        self.options = options

    def draw(self, height: int, width: int, generator: np.random.Generator, view: str = "query") -> Parameters:
        return draw_crop_and_color(self.options, height, width, generator, log_aspect=True)


def build(options: StandardOptions, clip: ClipOptions) -> StandardAugmentation:
    return StandardAugmentation(options, clip)


COMPONENT = Component(kind="augmentation", options=StandardOptions, build=build)
