"""Base of the augmentations with colour jitter: its options and its draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from raysl.config.options import NO_UNIT, option
from raysl.views.augmentation import Followed
from raysl.views.augmentations.cropped import CropOptions, CroppedAugmentation
from raysl.views.pixel_operations import Jitter, Parameters, color, color_all
from raysl.views.random_crop import draw_crop


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
    grey: float = option(
        0.2, doc="probability of a grey clip", unit="probability", source="printed: CVRL Algorithm 1", ge=0, le=1
    )


class FollowedAugmentation(CroppedAugmentation[Parameters]):
    """Moves pixels only by a crop and a flip, so that boxes can follow it if all frames share a draw."""

    @property
    def keeps_boxes(self) -> bool:
        return self._temporally_consistent

    def followed(self, frames: Tensor, generator: np.random.Generator) -> Followed:
        drawn = self.draw(frames.shape[-2], frames.shape[-1], generator)
        return Followed(self.cropped(frames, drawn), drawn.flip)

    def finish(self, pixels: Tensor, drawn: Parameters, first: int = 0) -> Tensor:
        return color(pixels, drawn)

    def finish_all(self, pixels: Tensor, drawn: Sequence[Parameters]) -> Tensor:
        return color_all(pixels, drawn)


def draw_crop_and_color(
    options: ColorOptions, height: int, width: int, generator: np.random.Generator, *, log_aspect: bool
) -> Parameters:
    """Crop, flip, jitter and grey for a frame of this size; always the same number of draws.

    Args:
        log_aspect: the crop's aspect is log-uniform; False: uniform.
    """
    area, aspect = (options.min_area, options.max_area), (options.min_aspect, options.max_aspect)
    crop = draw_crop(height, width, area, aspect, generator, log_aspect=log_aspect, whole=options.crop == "whole")
    flip, jittered, grey = generator.random(3).tolist()
    order = generator.permutation(4)
    at = generator.random(4)
    jitter = drawn_jitter(options, order, at) if jittered < options.jitter else ()
    return Parameters(crop, flip < options.flip, jitter, grey < options.grey)


class JitterStrengths(Protocol):
    """Strengths of the four colour operations, as options have them."""

    @property
    def brightness(self) -> float: ...
    @property
    def contrast(self) -> float: ...
    @property
    def saturation(self) -> float: ...
    @property
    def hue(self) -> float: ...


def drawn_jitter(strengths: JitterStrengths, order: NDArray[np.int64], at: NDArray[np.float64]) -> tuple[Jitter, ...]:
    """The colour operations that have a strength.

    Args:
        order: of brightness, contrast, saturation and hue, by their positions 0 to 3.
        at: position of each of the four in its range, from 0 to 1, in that order.
    """
    jitter: list[Jitter] = []
    for i in order:
        name, strength = (
            ("brightness", strengths.brightness),
            ("contrast", strengths.contrast),
            ("saturation", strengths.saturation),
            ("hue", strengths.hue),
        )[i]
        if strength > 0:
            low, high = (-strength, strength) if name == "hue" else (max(0.0, 1.0 - strength), 1.0 + strength)
            jitter.append(Jitter(name, float(low + (high - low) * at[i])))
    return tuple(jitter)
