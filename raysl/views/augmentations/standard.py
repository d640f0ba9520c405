"""Random resized crop, flip, colour jitter and grey, by default one draw for all frames of a clip (CVRL 7.3)."""

from __future__ import annotations

from raysl.config.component import Component, later
from raysl.config.options import option
from raysl.views.augmentation_options import ColorOptions


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


COMPONENT = Component(
    kind="augmentation",
    options=StandardOptions,
    build=later("raysl.views.augmentations.standard_augmentation", "build"),
    keeps_boxes=lambda options: options.temporally_consistent,
)
