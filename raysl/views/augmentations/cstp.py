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

import math
from typing import Literal, NamedTuple, Self

import numpy as np
import torch
from pydantic import model_validator
from torch import Tensor

from raysl.config.component import Component
from raysl.config.options import NO_UNIT, option
from raysl.config.sections import ClipOptions
from raysl.streams import stream
from raysl.views.augmentations.colored import drawn_jitter
from raysl.views.augmentations.cropped import CropOptions, CroppedAugmentation
from raysl.views.blur import gaussian_blur
from raysl.views.pixel_operations import OPERATIONS, Jitter
from raysl.views.random_crop import draw_crop


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


class CstpParameters(NamedTuple):
    """One draw; None, or empty, for an operation that is not applied.

    Attributes:
        crop: (top, left, height, width) in pixels of the frame.
        angle: degrees, counter-clockwise.
        jitter: in the order in which they are applied.
        channels: keys the stream that draws each frame's channel.
        blur: standard deviation in pixels.
    """

    crop: tuple[int, int, int, int]
    flip: bool
    angle: float | None = None
    jitter: tuple[Jitter, ...] = ()
    channels: int | None = None
    blur: float | None = None


class CstpAugmentation(CroppedAugmentation[CstpParameters]):
    """Crop, resize (bilinear) and flip on uint8; the strong chain on float. Corners after rotation are black."""

    def __init__(self, options: CstpOptions, clip: ClipOptions) -> None:
        super().__init__(options.temporally_consistent, clip.size)
        self.options = options

    def draw(self, height: int, width: int, generator: np.random.Generator, view: str = "query") -> CstpParameters:
        o = self.options
        area, aspect = (o.min_area, o.max_area), (o.min_aspect, o.max_aspect)
        crop = draw_crop(height, width, area, aspect, generator, log_aspect=False, swap=True, whole=o.crop == "whole")
        flip, strong, jittered, picked, blurred = (
            generator.random(5) < (o.flip, o.strong, o.jitter, o.pick_channel, o.blur)
        ).tolist()
        turned, spread = generator.random(2).tolist()
        order, at, channels = generator.permutation(4), generator.random(4), int(generator.integers(2**32))
        if not strong:
            return CstpParameters(crop, flip)
        return CstpParameters(
            crop,
            flip,
            angle=self._angle(turned),
            jitter=drawn_jitter(o, order, at) if jittered else (),
            channels=channels if picked else None,
            blur=o.min_sigma + (o.max_sigma - o.min_sigma) * spread if blurred else None,
        )

    def _angle(self, at: float) -> float | None:
        """Degrees; ``at`` is the position in the range, from 0 to 1."""
        if not self.options.rotation_jitter:
            return None
        return self.options.rotation_jitter * (2 * at - 1 if self.options.rotation_from == "minus" else at)

    def finish(self, pixels: Tensor, drawn: CstpParameters, first: int = 0) -> Tensor:
        if drawn.angle is not None:
            from torchvision.transforms.v2 import InterpolationMode, functional  # takes 1.5 s, and is rarely needed

            pixels = functional.rotate(pixels, drawn.angle, InterpolationMode.BILINEAR).clamp_(0.0, 1.0)
        for name, amount in drawn.jitter:
            OPERATIONS[name](pixels, amount)
        if drawn.channels is not None:
            of_frame = stream(drawn.channels, "channels").integers(3, size=first + len(pixels))[first:]
            pixels = pixels[torch.arange(len(pixels)), torch.from_numpy(of_frame.copy())][:, None].repeat(1, 3, 1, 1)
        if drawn.blur is not None:
            gaussian_blur(pixels, drawn.blur, min(math.ceil(3 * drawn.blur), self.size - 1))
        return pixels


def build(options: CstpOptions, clip: ClipOptions) -> CstpAugmentation:
    return CstpAugmentation(options, clip)


COMPONENT = Component(kind="augmentation", options=CstpOptions, build=build)
