"""The augmentation `tclr`; its options and sources stand in `raysl.views.augmentations.tclr`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from torch import Tensor

from raysl.config.sections import ClipOptions
from raysl.views.augmentations.cropped import CroppedAugmentation
from raysl.views.augmentations.tclr_options import TclrOptions
from raysl.views.blur import gaussian_blur
from raysl.views.color import adjust_gamma, to_grey
from raysl.views.pixel_operations import OPERATIONS, Jitter

ERASED, ERASED_OF = (9, 18), 112
"""Shortest and longest side of the erased rectangle in a clip of 112 pixels, and that size (code)."""


RADII = 3
"""Blur has 1 to 3 taps on each side of the middle one: kernels of 3 to 7 pixels (ours)."""


EVENTS = ("contrast", "hue", "saturation", "brightness", "channels", "gamma", "flip", "erase", "blur", "shear_rotate")


AMOUNTS = (
    *("side", "top", "left", "contrast", "hue", "saturation", "brightness", "gamma", "channel"),
    *("erased_height", "erased_width", "erased_top", "erased_left", "radius", "sigma", "angle", "shear"),
)
"""The draws for a clip, each in [0, 1): whether each operation is applied, and how strongly."""


class TclrParameters(NamedTuple):
    """One draw; None for an operation that is not applied.

    Attributes:
        crop: (top, left, height, width) in pixels of the frame.
        jitter: in the order in which they are applied.
        gamma: exponent, only for a grey clip.
        dropped: index of the channel that is zero.
        angles: of rotation and of shear, degrees.
        blur: standard deviation in pixels, and taps on each side of the middle one.
        erased: (top, left, height, width) in pixels of the clip; cut at its edges.
    """

    crop: tuple[int, int, int, int]
    flip: bool
    jitter: tuple[Jitter, ...]
    grey: bool
    gamma: float | None
    dropped: int | None
    angles: tuple[float, float] | None
    blur: tuple[float, int] | None
    erased: tuple[int, int, int, int] | None


class TclrAugmentation(CroppedAugmentation[TclrParameters]):
    """Crop, resize (bilinear, antialiased) and flip on uint8, the rest on float.

    Shear and rotation, then blur, come before the erasing (ours); the corners are black, and the returned box is the
    crop's.
    """

    def __init__(self, options: TclrOptions, clip: ClipOptions) -> None:
        super().__init__(options.temporally_consistent, clip.size)
        self.options = options

    def draw(self, height: int, width: int, generator: np.random.Generator, view: str = "query") -> TclrParameters:
        o = self.options
        event = dict(zip(EVENTS, generator.random(len(EVENTS)).tolist(), strict=True))
        at = dict(zip(AMOUNTS, generator.random(len(AMOUNTS)).tolist(), strict=True))
        grey = event["channels"] < o.grey
        angles = (_around(0.0, o.max_angle, at["angle"]), _around(0.0, o.max_angle, at["shear"]))
        sigma = o.min_sigma + (o.max_sigma - o.min_sigma) * at["sigma"]
        return TclrParameters(
            crop=self._crop(height, width, at),
            flip=event["flip"] < o.flip,
            jitter=self._jitter(event, at),
            grey=grey,
            gamma=_around(1.0, o.gamma, at["gamma"]) if grey and event["gamma"] < o.gamma_probability else None,
            dropped=int(3 * at["channel"]) if event["channels"] >= 1.0 - o.drop_channel else None,
            angles=angles if event["shear_rotate"] < o.shear_rotate else None,
            blur=(sigma, 1 + int(RADII * at["radius"])) if event["blur"] < o.blur else None,
            erased=self._rectangle(at) if event["erase"] < o.erase else None,
        )

    def finish(self, pixels: Tensor, drawn: TclrParameters, first: int = 0) -> Tensor:
        for name, amount in drawn.jitter:
            OPERATIONS[name](pixels, amount)
        if drawn.grey:
            to_grey(pixels)
        if drawn.gamma is not None:
            adjust_gamma(pixels, drawn.gamma)
        if drawn.dropped is not None:
            pixels[:, drawn.dropped] = 0.0
        if drawn.angles is not None:
            pixels = _shear_and_rotate(pixels, *drawn.angles)
        if drawn.blur is not None:
            gaussian_blur(pixels, *drawn.blur)
        if drawn.erased is not None:
            top, left, height, width = drawn.erased
            pixels[..., top : top + height, left : left + width] = 0.0
        return pixels

    def _crop(self, height: int, width: int, at: dict[str, float]) -> tuple[int, int, int, int]:
        share = self.options.min_side + (self.options.max_side - self.options.min_side) * at["side"]
        side = max(1, int(min(height, width) * share))
        return int(at["top"] * (height - side + 1)), int(at["left"] * (width - side + 1)), side, side

    def _jitter(self, event: dict[str, float], at: dict[str, float]) -> tuple[Jitter, ...]:
        o = self.options
        contrast = Jitter("contrast", _around(1.0, o.contrast, at["contrast"]))
        before = event["contrast"] < o.contrast_probability / 2
        after = not before and event["contrast"] < o.contrast_probability
        colors = (("hue", 0.0, o.hue), ("saturation", 1.0, o.saturation), ("brightness", 1.0, o.brightness))
        between = [
            Jitter(name, _around(neutral, strength, at[name]))
            for name, neutral, strength in colors
            if strength > 0 and event[name] < o.color_probability
        ]
        if o.contrast == 0:
            return tuple(between)
        return (*[contrast] * before, *between, *[contrast] * after)

    def _rectangle(self, at: dict[str, float]) -> tuple[int, int, int, int]:
        shortest, longest = (max(1, round(side * self.size / ERASED_OF)) for side in ERASED)
        height, width = (
            shortest + int((longest - shortest + 1) * at[f"erased_{side}"]) for side in ("height", "width")
        )
        return int(self.size * at["erased_top"]), int(self.size * at["erased_left"]), height, width


def _around(neutral: float, strength: float, at: float) -> float:
    """From ``neutral - strength`` at 0 to ``neutral + strength`` at 1."""
    return neutral + strength * (2.0 * at - 1.0)


def _shear_and_rotate(frames: Tensor, angle: float, shear: float) -> Tensor:
    """Float ``[T, 3, H, W]`` in [0, 1] to the same, about the centre, bilinear; degrees."""
    from torchvision.transforms.v2 import InterpolationMode, functional  # takes 1.5 s, and is rarely needed

    moved: Tensor = functional.affine(
        frames, angle, [0, 0], 1.0, [shear, 0.0], interpolation=InterpolationMode.BILINEAR
    )
    return moved.clamp_(0.0, 1.0)


def build(options: TclrOptions, clip: ClipOptions) -> TclrAugmentation:
    return TclrAugmentation(options, clip)
