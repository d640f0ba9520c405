"""Base of the augmentations with colour jitter: its options and its draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from raysl.views.augmentation import Followed
from raysl.views.augmentation_options import ColorOptions
from raysl.views.augmentations.cropped import CroppedAugmentation
from raysl.views.pixel_operations import YIQ, Jitter, Parameters, color, color_all
from raysl.views.random_crop import draw_crop


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
    if options.hue_form == "yiq":
        jitter = tuple(Jitter(YIQ, amount) if name == "hue" else Jitter(name, amount) for name, amount in jitter)
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
