"""Strengths and probabilities of TCLR's augmentation; the code is the released loader, tclr_pretraining/dl_tclr.py."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from raysl.config.options import NO_UNIT, option
from raysl.views.augmentation_options import AugmentationOptions


class TclrOptions(AugmentationOptions):
    """Strengths and probabilities; zero switches an operation off. Its draw is still made, so the others do not move.

    Blur, and shear with rotation, are the additions of Table 8. The text's augmentation for fine-tuning, only random
    crop, scale and flip, is this with ``contrast_probability``, ``color_probability``, ``grey``, ``drop_channel`` and
    ``erase`` at 0.
    """

    min_side: float = option(
        0.6, doc="smallest side of the square crop", unit="share of the short side", source="code: TCLR", gt=0, le=1
    )
    max_side: float = option(
        1.0,
        doc="largest side of the square crop; between the two uniform",
        unit="share of the short side",
        source="code: TCLR",
        gt=0,
        le=1,
    )
    contrast: float = option(
        0.25,
        doc="factor drawn from 1 - x to 1 + x; about each frame's mean grey",
        unit=NO_UNIT,
        source="code: TCLR",
        ge=0,
        le=1,
    )
    contrast_probability: float = option(
        0.25,
        doc="probability of the contrast change, half of it before hue, saturation and brightness, half after them",
        unit="probability",
        source="code: TCLR",
        ge=0,
        le=1,
    )
    hue: float = option(
        0.1, doc="hue shift drawn from -x to x", unit="turns of the circle", source="code: TCLR", ge=0, le=0.5
    )
    saturation: float = option(
        0.25, doc="factor drawn from 1 - x to 1 + x", unit=NO_UNIT, source="code: TCLR", ge=0, le=1
    )
    brightness: float = option(
        0.25, doc="factor drawn from 1 - x to 1 + x", unit=NO_UNIT, source="code: TCLR", ge=0, le=1
    )
    color_probability: float = option(
        0.3,
        doc="probability of hue, of saturation and of brightness, independently",
        unit="probability",
        source="code: TCLR",
        ge=0,
        le=1,
    )
    grey: float = option(0.175, doc="probability of a grey clip", unit="probability", source="code: TCLR", ge=0, le=1)
    gamma: float = option(
        0.25,
        doc="a grey clip is raised to a power drawn from 1 - x to 1 + x",
        unit=NO_UNIT,
        source="code: TCLR",
        ge=0,
        lt=1,
    )
    gamma_probability: float = option(
        0.75, doc="probability of that power for a grey clip", unit="probability", source="code: TCLR", ge=0, le=1
    )
    drop_channel: float = option(
        0.125,
        doc="probability that one colour channel is zero; never of a grey clip",
        unit="probability",
        source="code: TCLR",
        ge=0,
        le=1,
    )
    flip: float = option(
        0.5, doc="probability of a horizontal flip", unit="probability", source="code: TCLR", ge=0, le=1
    )
    erase: float = option(
        0.5,
        doc="probability that a rectangle is zero: sides 9/112 to 18/112 of the clip's, its top left corner anywhere",
        unit="probability",
        source="code: TCLR: 9 to 18 pixels of 112; ours: in other sizes in proportion",
        ge=0,
        le=1,
    )
    blur: float = option(
        0.0,
        doc="probability of Gaussian blur, 3 to 7 taps",
        unit="probability",
        source="code: TCLR has none; its Table 8 adds it at 0.3",
        ge=0,
        le=1,
    )
    min_sigma: float = option(
        0.1, doc="smallest standard deviation of the blur", unit="pixels", source="ours: as CVRL", gt=0, le=20
    )
    max_sigma: float = option(
        2.0, doc="largest standard deviation of the blur", unit="pixels", source="ours: as CVRL", gt=0, le=20
    )
    shear_rotate: float = option(
        0.0,
        doc="probability of a shear along the rows with a rotation",
        unit="probability",
        source="code: TCLR has none; its Table 8 adds it at 0.3",
        ge=0,
        le=1,
    )
    max_angle: float = option(
        10.0, doc="angle of each of the two drawn from -x to x", unit="degrees", source="ours: not printed", ge=0, le=45
    )
    temporally_consistent: bool = option(
        True, doc="one draw for all frames of a clip; false: a separate draw for every frame", source="code: TCLR"
    )

    @model_validator(mode="after")
    def _combined(self) -> Self:
        if self.min_side > self.max_side:
            raise ValueError(f"min_side {self.min_side} is larger than max_side {self.max_side}")
        if self.min_sigma > self.max_sigma:
            raise ValueError(f"min_sigma {self.min_sigma} is larger than max_sigma {self.max_sigma}")
        if self.grey + self.drop_channel > 1:
            raise ValueError(
                f"grey {self.grey} and drop_channel {self.drop_channel} exclude each other: together they are above 1"
            )
        return self
