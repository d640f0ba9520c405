"""CSTP's augmentation (arXiv:2112.08913; numbers of its code): a crop and a flip, and for some clips a strong chain.

The strong chain is rotation, colour jitter in random order, one channel instead of all three, and blur; one draw for
all frames, except for the channel, which every frame draws. The crop is the pair sampler's if that sets one
(`raysl.views.pairs.overlap`). Where this departs from the code:

- Frames are resized bilinearly and the network reads normalised pixels; the code resizes by cubic splines and scales to
  [-1, 1].
- The flip comes first: no other step depends on left and right, unless angles are drawn from one side of zero.
- The blur is a Gaussian cut at three standard deviations; the code's, PIL's, is an approximation of one by boxes.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from raysl.config.component import Component, later
from raysl.config.options import NO_UNIT, option
from raysl.views.augmentation_options import CropOptions


class CstpOptions(CropOptions):
    """Strengths and probabilities; zero switches an operation off. Its draw is still made, so the others do not move.

    The paper names two sets of basic augmentations: that of the ablations has no rotation, that of the method section
    no blur.
    """

    strong: float = option(
        0.3,
        doc="probability of the strong chain; without it a clip is only cropped and flipped",
        unit="probability",
        source="code",
        ge=0,
        le=1,
    )
    rotation_jitter: float = option(
        10.0,
        doc="x, largest angle that a clip is turned by; strong chain",
        unit="degrees",
        source="code; printed: 10, and none in Table 1",
        ge=0,
        le=45,
    )
    rotation_from: Literal["minus", "zero"] = option(
        "minus",
        doc="lower end of that angle's range; zero: drawn from 0 to x, always in the same direction",
        source="code: minus; printed: zero, of the words 0-10",
    )
    jitter: float = option(
        0.8, doc="probability of colour jitter; strong chain", unit="probability", source="code", ge=0, le=1
    )
    brightness: float = option(
        0.4, doc="factor drawn from 1 - x to 1 + x, at least 0", unit=NO_UNIT, source="code", ge=0, le=10
    )
    contrast: float = option(
        0.4,
        doc="factor drawn from 1 - x to 1 + x, at least 0; about each frame's mean grey",
        unit=NO_UNIT,
        source="code",
        ge=0,
        le=10,
    )
    saturation: float = option(
        0.4, doc="factor drawn from 1 - x to 1 + x, at least 0", unit=NO_UNIT, source="code", ge=0, le=10
    )
    hue: float = option(
        0.1, doc="hue shift drawn from -x to x", unit="turns of the circle", source="code", ge=0, le=0.5
    )
    pick_channel: float = option(
        0.2,
        doc="probability that each frame shows one channel, drawn for the frame, in all three; strong chain",
        unit="probability",
        source="code",
        ge=0,
        le=1,
    )
    blur: float = option(
        0.5, doc="probability of Gaussian blur; strong chain", unit="probability", source="code", ge=0, le=1
    )
    min_sigma: float = option(
        0.1, doc="smallest standard deviation of the blur", unit="pixels", source="code", gt=0, le=20
    )
    max_sigma: float = option(
        2.0, doc="largest standard deviation of the blur", unit="pixels", source="code", gt=0, le=20
    )
    min_area: float = option(0.2, doc="smallest area of a crop", unit="share of the frame", source="code", gt=0, le=1)
    min_aspect: float = option(
        0.75,
        doc="least aspect, width by height; between the two uniform, with probability 1/2 height by width",
        unit="width / height",
        source="code: 3/4",
        gt=0,
        le=10,
    )
    max_aspect: float = option(
        4 / 3, doc="largest aspect of a crop", unit="width / height", source="code: 4/3", gt=0, le=10
    )

    @model_validator(mode="after")
    def _sigmas_ordered(self) -> Self:
        if self.min_sigma > self.max_sigma:
            raise ValueError(f"min_sigma {self.min_sigma} is larger than max_sigma {self.max_sigma}")
        return self


COMPONENT = Component(
    kind="augmentation",
    options=CstpOptions,
    build=later("raysl.views.augmentations.cstp_augmentation", "build"),
    keeps_boxes=lambda options: False,
)
