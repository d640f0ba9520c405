"""What the options of every augmentation share."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from raysl.config.options import NO_UNIT, Options, option
from raysl.config.sections import TemporalOptions

Box = tuple[int, int, int, int]


class AugmentationOptions(Options):
    """Base of the options of every augmentation that can be used in pretraining."""

    temporal: TemporalOptions = option(
        TemporalOptions(), doc="augmentation in time of the pair's views", source="printed: SSTL; elsewhere none"
    )


class CropOptions(AugmentationOptions):
    """Sizes of the crop, the flip, and whether all frames share a draw."""

    crop: Literal["resized", "whole"] = option(
        "resized",
        doc="resized: of drawn area and aspect, resized to clip.size; whole: the largest square, of the short side, "
        "which reads neither",
        source="printed: CVRL Algorithm 1; SSTL 4.2: whole",
    )
    min_area: float = option(
        0.3, doc="smallest area of a crop", unit="share of the frame", source="printed: CVRL Algorithm 1", gt=0, le=1
    )
    max_area: float = option(
        1.0, doc="largest area of a crop", unit="share of the frame", source="printed: CVRL Algorithm 1", gt=0, le=1
    )
    min_aspect: float = option(
        0.5,
        doc="narrowest crop, width by height; between the two uniform",
        unit="width / height",
        source="printed: CVRL Algorithm 1",
        gt=0,
        le=10,
    )
    max_aspect: float = option(
        2.0, doc="widest crop, width by height", unit="width / height", source="printed: CVRL Algorithm 1", gt=0, le=10
    )
    flip: float = option(
        0.5, doc="probability of a horizontal flip", unit="probability", source="printed: CVRL Algorithm 1", ge=0, le=1
    )
    temporally_consistent: bool = option(
        True,
        doc="one draw for all frames of a clip; false: a separate draw for every frame",
        source="printed: CVRL 7.3, Table 9",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_area > self.max_area:
            raise ValueError(f"min_area {self.min_area} is larger than max_area {self.max_area}")
        if self.min_aspect > self.max_aspect:
            raise ValueError(f"min_aspect {self.min_aspect} is larger than max_aspect {self.max_aspect}")
        return self


class ColorOptions(CropOptions):
    """Crop, flip and strengths of the colour jitter; zero switches an operation off."""

    jitter: float = option(
        0.8, doc="probability of colour jitter", unit="probability", source="printed: CVRL Algorithm 1", ge=0, le=1
    )
    brightness: float = option(
        0.8, doc="factor drawn from 1 - x to 1 + x, at least 0", unit=NO_UNIT, source="code: CVRL", ge=0, le=10
    )
    contrast: float = option(
        0.8,
        doc="factor drawn from 1 - x to 1 + x, at least 0; about each frame's mean grey",
        unit=NO_UNIT,
        source="code: CVRL",
        ge=0,
        le=10,
    )
    saturation: float = option(
        0.8, doc="factor drawn from 1 - x to 1 + x, at least 0", unit=NO_UNIT, source="code: CVRL", ge=0, le=10
    )
    hue: float = option(
        0.2, doc="hue shift drawn from -x to x", unit="turns of the circle", source="code: CVRL", ge=0, le=0.5
    )
    hue_form: Literal["hsv", "yiq"] = option(
        "hsv",
        doc="hsv: hue of HSV, as torchvision; yiq: a rotation of YIQ's colour plane, as DALI: another augmentation, in "
        "less than half the time on CPU",
        source="code: CVRL (TensorFlow): hsv; ours: yiq",
    )
    grey: float = option(
        0.2, doc="probability of a grey clip", unit="probability", source="printed: CVRL Algorithm 1", ge=0, le=1
    )
