"""The deterministic views of a frame: squares of its short side, resized."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate


def center_crop(frames: Tensor, size: int) -> Tensor:
    """Centre square of the frame's short side, resized to ``size`` (bilinear, antialiased, on uint8).

    The whole short side is kept (ours: TCLR crops 0.8 of it, VCOP a fixed margin), so that evaluation shows the same as
    a random resized crop of the full area.

    Args:
        frames: ``[T, 3, H, W]`` uint8.
        size: height and width, pixels.

    Returns:
        ``[3, T, size, size]`` float32 in [0, 1].
    """
    return _in_range(center_square(frames, size))


def center_square(frames: Tensor, size: int) -> Tensor:
    """`center_crop` before it becomes float32: ``[T, 3, size, size]`` uint8."""
    height, width = frames.shape[-2:]
    side, top, left = _center(height, width)
    return _sized(frames[..., top : top + side, left : left + side], size)


def three_crops(frames: Tensor, size: int) -> list[Tensor]:
    """Squares as `center_crop`: one at each end of the long side, the centre between them (CVRL 4.1 tests on three).

    For a square frame all three are equal.
    """
    side = min(frames.shape[-2:])
    height, width = frames.shape[-2:]
    first, last = frames[..., :side, :side], frames[..., height - side :, width - side :]
    return [_in_range(_sized(first, size)), center_crop(frames, size), _in_range(_sized(last, size))]


def _sized(square: Tensor, size: int) -> Tensor:
    """As torchvision resizes, whose import would cost every loader process 1.5 s."""
    if square.shape[-1] != size:
        square = interpolate(square, (size, size), mode="bilinear", antialias=True)
    return square


def _center(height: int, width: int) -> tuple[int, int, int]:
    """The side of the centre square, and its top and left edge."""
    side = min(height, width)
    return side, round((height - side) / 2.0), round((width - side) / 2.0)


def _in_range(pixels: Tensor) -> Tensor:
    """``[T, 3, size, size]`` uint8 to ``[3, T, size, size]`` float32 in [0, 1]."""
    return pixels.to(torch.float32).div_(255.0).transpose(0, 1)


def center_box(height: int, width: int) -> tuple[float, float, float, float]:
    """The box of `center_crop` in a frame of this size: (top, left, height, width) as shares of the frame."""
    side, top, left = _center(height, width)
    return top / height, left / width, side / height, side / width
