"""Applies drawn parameters of augmentation to pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from raysl.views.blur import blur_radius, gaussian_blur
from raysl.views.color import (
    Amount,
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    rotate_hue,
    solarise,
    to_grey,
)


class Jitter(NamedTuple):
    """One colour operation: brightness, contrast, saturation (a factor), hue or hue of yiq (turns of the circle)."""

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


YIQ = "hue of yiq"
OPERATIONS: dict[str, Callable[[Tensor, Amount], None]] = {
    "brightness": adjust_brightness,
    "contrast": adjust_contrast,
    "saturation": adjust_saturation,
    "hue": adjust_hue,
    YIQ: rotate_hue,
}
"""In place on float32: on uint8 torchvision 0.29 takes three to eight times as long for the same."""


def crop_and_flip(frames: Tensor, crop: tuple[int, int, int, int], flip: bool, size: int) -> Tensor:
    """``[T, 3, H, W]`` uint8 to ``[T, 3, size, size]`` uint8: the crop resized (bilinear, antialiased), then flipped.

    Args:
        crop: (top, left, height, width) in pixels.
    """
    top, left, height, width = crop
    # Dense first: resizing a cropped view is a third slower. torchvision's functions, which give the same pixels, take
    # twice as long for a small frame, and so does any layout but that of decoded frames.
    layout = torch.channels_last if frames.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
    pixels = frames[..., top : top + height, left : left + width].contiguous(memory_format=layout)
    if (height, width) != (size, size):
        pixels = interpolate(pixels, (size, size), mode="bilinear", antialias=True)
    return pixels.flip(-1) if flip else pixels


def color(pixels: Tensor, drawn: Parameters) -> Tensor:
    """What follows the crop, with one draw, in place.

    Args:
        pixels: ``[N, 3, size, size]`` float32 in [0, 1].
    """
    for name, amount in drawn.jitter:
        OPERATIONS[name](pixels, amount)
    if drawn.grey:
        to_grey(pixels)
    if drawn.blur is not None:
        gaussian_blur(pixels, drawn.blur, blur_radius(pixels.shape[-1]))
    if drawn.solarise is not None:
        solarise(pixels, drawn.solarise)
    return pixels


def color_all(pixels: Tensor, drawn: Sequence[Parameters]) -> Tensor:
    """`color` of clips that have their own draws, in place: those that need an operation next go through it together.

    So a GPU gets a few large operations instead of many small ones for each clip.

    Args:
        pixels: ``[B, N, 3, size, size]`` float32 in [0, 1].
        drawn: B of them.
    """
    for position in range(max((len(own.jitter) for own in drawn), default=0)):
        for name, operation in OPERATIONS.items():
            at = (own.jitter[position] if position < len(own.jitter) else None for own in drawn)
            _together(operation, pixels, [one.amount if one is not None and one.name == name else None for one in at])
    _together(lambda frames, _: to_grey(frames), pixels, [1.0 if own.grey else None for own in drawn])
    radius = blur_radius(pixels.shape[-1])
    _together(lambda frames, sigma: gaussian_blur(frames, sigma, radius), pixels, [own.blur for own in drawn])
    _together(solarise, pixels, [own.solarise for own in drawn])
    return pixels


def _together(operation: Callable[[Tensor, Tensor], None], pixels: Tensor, amounts: Sequence[float | None]) -> None:
    """Applies it to the clips that have an amount."""
    rows = [row for row, amount in enumerate(amounts) if amount is not None]
    if not rows:
        return
    index = torch.tensor(rows, device=pixels.device)
    some = pixels.index_select(0, index)
    each = torch.tensor([amount for amount in amounts if amount is not None], device=pixels.device)
    operation(some.flatten(0, 1), each.repeat_interleave(pixels.shape[1]).view(-1, 1, 1, 1))
    pixels.index_copy_(0, index, some)


def apply(frames: Tensor, parameters: Parameters, size: int) -> Tensor:
    """Crop, flip and `color` of all frames at once.

    Args:
        frames: ``[T, 3, H, W]`` uint8.
        parameters: of one draw.
        size: height and width of the result, pixels.

    Returns:
        ``[T, 3, size, size]`` float32 in [0, 1].
    """
    return color(
        crop_and_flip(frames, parameters.crop, parameters.flip, size).to(torch.float32).div_(255.0), parameters
    )
