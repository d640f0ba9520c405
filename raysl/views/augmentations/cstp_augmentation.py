"""The augmentation `cstp`; its options and sources stand in `raysl.views.augmentations.cstp`."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from raysl.config.sections import ClipOptions
from raysl.streams import stream
from raysl.views.augmentations.colored import drawn_jitter
from raysl.views.augmentations.cropped import CroppedAugmentation
from raysl.views.augmentations.cstp import CstpOptions
from raysl.views.blur import gaussian_blur
from raysl.views.pixel_operations import OPERATIONS, Jitter
from raysl.views.random_crop import draw_crop


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
