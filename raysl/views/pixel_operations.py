"""What augmentation does to pixels once its parameters are drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

from raysl.views.color import adjust_brightness, adjust_contrast, adjust_saturation, to_grey
from raysl.views.hue import adjust_hue


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
    """

    crop: tuple[int, int, int, int]
    flip: bool
    jitter: tuple[Jitter, ...]
    grey: bool


OPERATIONS: dict[str, Callable[[Tensor, float], None]] = {
    "brightness": adjust_brightness,
    "contrast": adjust_contrast,
    "saturation": adjust_saturation,
    "hue": adjust_hue,
}
"""In place on float32: on uint8 torchvision 0.29 takes three to eight times as long for the same."""


def apply(frames: Tensor, parameters: Parameters, size: int) -> Tensor:
    """The same operations on every frame.

    Args:
        frames: ``[T, 3, H, W]`` uint8.
        parameters: of one draw.
        size: height and width of the result, pixels.

    Returns:
        ``[T, 3, size, size]`` float32 in [0, 1].
    """
    # Contiguous first: the resize walks a cropped view a third slower.
    cropped = functional.crop(frames, *parameters.crop).contiguous()
    pixels: Tensor = functional.resize(cropped, [size, size], antialias=True)
    if parameters.flip:
        pixels = functional.horizontal_flip(pixels)
    pixels = pixels.to(torch.float32).div_(255.0)
    for name, amount in parameters.jitter:
        OPERATIONS[name](pixels, amount)
    if parameters.grey:
        to_grey(pixels)
    return pixels
