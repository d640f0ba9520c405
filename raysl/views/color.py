"""Colour operations on float frames, in place, as torchvision's functions of the same names.

``frames``: ``[T, 3, H, W]`` float32 in [0, 1], and so it stays; each frame is treated by itself. In place, they take no
memory that would have to be mapped anew for every clip.
"""

from __future__ import annotations

import torch
from torch import Tensor

LUMINANCE = (0.2989, 0.587, 0.114)
"""Weights of red, green and blue (ITU-R BT.601, as torchvision rounds them)."""
_VALUES_OF_ONE_THREAD = 1 << 14
"""Fewer than the values (32 768, ``GRAIN_SIZE``) from which on torch shares an operation among threads."""


def adjust_brightness(frames: Tensor, factor: float) -> None:
    """Multiplies by ``factor``."""
    frames.mul_(factor).clamp_(0.0, 1.0)


def adjust_contrast(frames: Tensor, factor: float) -> None:
    """Moves every value away from (factor above 1) or towards the frame's mean luminance."""
    # Rows first: a sum over everything at once would depend on the number of threads in its last bits.
    means = frames.mean(-1).mean(-1)
    luminances = (means * torch.tensor(LUMINANCE)).sum(1).view(-1, 1, 1, 1)
    frames.mul_(factor).add_(luminances, alpha=1.0 - factor).clamp_(0.0, 1.0)


def adjust_saturation(frames: Tensor, factor: float) -> None:
    """Moves every pixel away from (factor above 1) or towards its luminance."""
    grey = luminance(frames)
    frames.mul_(factor).add_(grey, alpha=1.0 - factor).clamp_(0.0, 1.0)


def adjust_gamma(frames: Tensor, exponent: float) -> None:
    """Raises every value to the power of ``exponent``, above 0."""
    # Frame by frame in pieces that torch never parts between threads: its vectorised power rounds the rest at the end
    # of a part otherwise, and equal frames must stay equal whatever the number of threads.
    for frame in frames:
        for piece in frame.view(-1).split(_VALUES_OF_ONE_THREAD):
            piece.pow_(exponent)


def to_grey(frames: Tensor) -> None:
    """Replaces the three channels by the luminance."""
    frames.copy_(luminance(frames))


def solarise(frames: Tensor, threshold: float) -> None:
    """Inverts the values from ``threshold`` on: x becomes 1 - x."""
    torch.where(frames < threshold, frames, 1.0 - frames, out=frames)


def luminance(frames: Tensor) -> Tensor:
    """``[T, 3, H, W]`` to ``[T, 1, H, W]``."""
    red, green, blue = (frames[:, channel : channel + 1] for channel in range(3))
    return (red * LUMINANCE[0]).add_(green, alpha=LUMINANCE[1]).add_(blue, alpha=LUMINANCE[2])
