"""Applies drawn parameters of augmentation to pixels."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from raysl.views.blur import blur_radius, gaussian_blur
from raysl.views.color import adjust_brightness, adjust_contrast, adjust_hue, adjust_saturation, solarise, to_grey


class Jitter(NamedTuple):
    """One colour operation: brightness, contrast, saturation (a factor) or hue (turns of the circle)."""

    name: str
    amount: float


class Parameters(NamedTuple):
    """One draw of the augmentation.

    Attributes:
        crop: (top, left, height, width) in pixels.
        flip: left and right exchanged.
        jitter: in the order in which they are applied.
        grey: the three channels replaced by the luminance.
        blur: standard deviation of a Gaussian blur in pixels; None: no blur.
        solarise: threshold from which on values are inverted, in [0, 1]; None: no inversion.
    """

    crop: tuple[int, int, int, int]
    flip: bool
    jitter: tuple[Jitter, ...]
    grey: bool
    blur: float | None = None
    solarise: float | None = None


OPERATIONS: dict[str, Callable[[Tensor, float], None]] = {
    "brightness": adjust_brightness,
    "contrast": adjust_contrast,
    "saturation": adjust_saturation,
    "hue": adjust_hue,
}
"""In place on float32: on uint8 torchvision 0.29 takes three to eight times as long for the same."""


def crop_and_flip(frames: Tensor, crop: tuple[int, int, int, int], flip: bool, size: int) -> Tensor:
    """``[T, 3, H, W]`` uint8 to ``[T, 3, size, size]`` uint8: the crop resized (bilinear, antialiased), then flipped.

    Args:
        crop: (top, left, height, width) in pixels.
    """
    top, left, height, width = crop
    # Contiguous first: resizing a cropped view is a third slower. torchvision's functions, which give the same pixels,
    # take twice as long for a small frame.
    pixels = frames[..., top : top + height, left : left + width].contiguous()
    if (height, width) != (size, size):
        pixels = interpolate(pixels, (size, size), mode="bilinear", antialias=True)
    return pixels.flip(-1) if flip else pixels


def apply(frames: Tensor, parameters: Parameters, size: int) -> Tensor:
    """The same operations on every frame.

    Args:
        frames: ``[T, 3, H, W]`` uint8.
        parameters: of one draw.
        size: height and width of the result, pixels.

    Returns:
        ``[T, 3, size, size]`` float32 in [0, 1].
    """
    pixels = crop_and_flip(frames, parameters.crop, parameters.flip, size).to(torch.float32).div_(255.0)
    for name, amount in parameters.jitter:
        OPERATIONS[name](pixels, amount)
    if parameters.grey:
        to_grey(pixels)
    if parameters.blur is not None:
        gaussian_blur(pixels, parameters.blur, blur_radius(size))
    if parameters.solarise is not None:
        solarise(pixels, parameters.solarise)
    return pixels
