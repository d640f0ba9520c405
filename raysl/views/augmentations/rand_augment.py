"""RandAugment (Cubuk et al. 2020; CVRL Table 12): crop, flip, then operators drawn at random, the same for all frames.

CVRL states 2 of 14 operators and no magnitude. The operators are those of TensorFlow's RandAugment (tensorflow/models,
official/vision/ops/augment.py) without its later Cutout and SolarizeAdd; Cubuk et al. print Identity for Invert. The
strengths are torchvision's: all grow from nothing at magnitude 0 to the end of their range at 30. TensorFlow's own
scale ends at 10: its default magnitude 10 shears, turns and shifts as 30 does here.
"""

from __future__ import annotations

from raysl.config.component import Component, later
from raysl.config.options import NO_UNIT, option
from raysl.views.augmentation_options import CropOptions

MOST = 30


class RandAugmentOptions(CropOptions):
    """How many operators, and how strong they are."""

    operations: int = option(
        2,
        doc="operators drawn of the 14, with repetition, applied in turn",
        unit="operators",
        source="printed: CVRL Table 12",
        ge=1,
        le=14,
    )
    magnitude: int = option(
        10,
        doc="strength of every operator that has one, of 30",
        unit=NO_UNIT,
        source="ours: CVRL gives none",
        ge=0,
        le=MOST,
    )


COMPONENT = Component(
    kind="augmentation",
    options=RandAugmentOptions,
    build=later("raysl.views.augmentations.rand_augment_augmentation", "build"),
    keeps_boxes=lambda options: False,
)
