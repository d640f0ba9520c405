"""The augmentation `rand_augment`; its options and sources stand in `raysl.views.augmentations.rand_augment`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from types import ModuleType
from typing import NamedTuple

import numpy as np
from torch import Tensor

from raysl.config.sections import ClipOptions
from raysl.views.augmentations.cropped import CroppedAugmentation
from raysl.views.augmentations.rand_augment import MOST, RandAugmentOptions
from raysl.views.random_crop import draw_crop

SHIFT = 150 / 331
"""Largest translation as a share of the side: 150 of 331 pixels (AutoAugment)."""


GREY = [128.0, 128.0, 128.0]
"""Value of pixels that a moved frame uncovers, as in TensorFlow."""


def _functional() -> ModuleType:
    from torchvision.transforms.v2 import functional  # takes 1.5 s, and is rarely needed

    return functional  # type: ignore[no-any-return]  # torchvision is not typed


def _posterize(frames: Tensor, level: float) -> Tensor:
    kept: Tensor = _functional().posterize(frames, 8 - round(4 * abs(level)))
    return kept


def _solarize(frames: Tensor, level: float) -> Tensor:
    inverted: Tensor = _functional().solarize(frames, 255.0 * (1.0 - abs(level)))
    return inverted


def _rotate(frames: Tensor, level: float) -> Tensor:
    turned: Tensor = _functional().rotate(frames, 30.0 * level, fill=GREY)
    return turned


def _blend(what: str, frames: Tensor, level: float) -> Tensor:
    adjusted: Tensor = getattr(_functional(), f"adjust_{what}")(frames, 1.0 + 0.9 * level)
    return adjusted


def _shear(axis: int, frames: Tensor, level: float) -> Tensor:
    degrees = [0.0, 0.0]
    degrees[axis] = math.degrees(math.atan(0.3 * level))
    sheared: Tensor = _functional().affine(frames, 0.0, [0, 0], 1.0, degrees, fill=GREY, center=[0.0, 0.0])
    return sheared


def _translate(axis: int, frames: Tensor, level: float) -> Tensor:
    pixels = [0, 0]
    pixels[axis] = int(SHIFT * level * frames.shape[-1 - axis])
    moved: Tensor = _functional().affine(frames, 0.0, pixels, 1.0, [0.0, 0.0], fill=GREY)
    return moved


OPERATORS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "auto_contrast": lambda frames, level: _functional().autocontrast(frames),
    "equalize": lambda frames, level: _functional().equalize(frames),
    "invert": lambda frames, level: _functional().invert(frames),
    "rotate": _rotate,
    "posterize": _posterize,
    "solarize": _solarize,
    "color": partial(_blend, "saturation"),
    "contrast": partial(_blend, "contrast"),
    "brightness": partial(_blend, "brightness"),
    "sharpness": partial(_blend, "sharpness"),
    "shear_x": partial(_shear, 0),
    "shear_y": partial(_shear, 1),
    "translate_x": partial(_translate, 0),
    "translate_y": partial(_translate, 1),
}
"""By name: ``[T, 3, H, W]`` uint8 and a level in [-1, 1] to the same; the first three have no strength."""


class Operator(NamedTuple):
    """One drawn operator.

    Attributes:
        name: in `OPERATORS`.
        level: magnitude / 30 with a random sign.
    """

    name: str
    level: float


class RandAugmentParameters(NamedTuple):
    """One draw.

    Attributes:
        crop: (top, left, height, width) in pixels.
        operators: in the order of application.
    """

    crop: tuple[int, int, int, int]
    flip: bool
    operators: tuple[Operator, ...]


class RandAugmentation(CroppedAugmentation[RandAugmentParameters]):
    """Crop, resize, flip and operators, all on uint8."""

    def __init__(self, options: RandAugmentOptions, clip: ClipOptions) -> None:
        super().__init__(options.temporally_consistent, clip.size)
        self.options = options

    def draw(
        self, height: int, width: int, generator: np.random.Generator, view: str = "query"
    ) -> RandAugmentParameters:
        o = self.options
        area, aspect = (o.min_area, o.max_area), (o.min_aspect, o.max_aspect)
        crop = draw_crop(height, width, area, aspect, generator, log_aspect=False, whole=o.crop == "whole")
        flip = bool(generator.random() < o.flip)
        names = list(OPERATORS)
        operators = []
        for _ in range(o.operations):
            which, sign = int(generator.integers(len(names))), 1 if generator.random() < 0.5 else -1
            operators.append(Operator(names[which], sign * o.magnitude / MOST))
        return RandAugmentParameters(crop, flip, tuple(operators))

    def sized(self, frames: Tensor, drawn: RandAugmentParameters) -> Tensor:
        pixels = super().sized(frames, drawn)
        for name, level in drawn.operators:
            pixels = OPERATORS[name](pixels, level)
        return pixels

    def finish(self, pixels: Tensor, drawn: RandAugmentParameters, first: int = 0) -> Tensor:
        return pixels

    def finish_all(self, pixels: Tensor, drawn: Sequence[RandAugmentParameters]) -> Tensor:
        return pixels


def build(options: RandAugmentOptions, clip: ClipOptions) -> RandAugmentation:
    return RandAugmentation(options, clip)
