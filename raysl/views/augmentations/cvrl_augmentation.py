"""The augmentation `cvrl`; its options and sources stand in `raysl.views.augmentations.cvrl`."""

from __future__ import annotations

import numpy as np

from raysl.config.sections import ClipOptions
from raysl.views.augmentations.colored import FollowedAugmentation, draw_crop_and_color
from raysl.views.augmentations.cvrl import KEY, CvrlOptions
from raysl.views.pixel_operations import Parameters


class CvrlAugmentation(FollowedAugmentation):
    """Crop and resize on uint8 (bilinear, antialiased), flip; then jitter, grey, blur and solarise on float."""

    def __init__(self, options: CvrlOptions, clip: ClipOptions) -> None:
        super().__init__(options.temporally_consistent, clip.size)
        self.options = options

    def draw(self, height: int, width: int, generator: np.random.Generator, view: str = "query") -> Parameters:
        o = self.options
        drawn = draw_crop_and_color(o, height, width, generator, log_aspect=False)
        blurred, solarised, at = generator.random(3).tolist()
        blur, solarise = KEY if o.asymmetric and view == "key" else (o.blur, o.solarise)
        return drawn._replace(
            blur=o.min_sigma + (o.max_sigma - o.min_sigma) * at if blurred < blur else None,
            solarise=o.solarise_threshold if solarised < solarise else None,
        )


def build(options: CvrlOptions, clip: ClipOptions) -> CvrlAugmentation:
    return CvrlAugmentation(options, clip)
