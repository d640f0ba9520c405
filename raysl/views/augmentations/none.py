"""No random spatial operation: centre crop and resize (inferred: CVRL Table 9, spatial off)."""

from __future__ import annotations

from raysl.config.component import Component, later
from raysl.views.augmentation_options import AugmentationOptions


class NoneOptions(AugmentationOptions):
    """No spatial options."""


COMPONENT = Component(
    kind="augmentation",
    options=NoneOptions,
    build=later("raysl.views.augmentations.none_augmentation", "build"),
    keeps_boxes=lambda options: True,
)
