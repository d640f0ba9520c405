"""The only resize: cached frames and frames decoded on demand pass through it once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def resized_size(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Height and width after resizing the short side to ``short_side``; the long side is rounded down."""
    if height <= width:
        return short_side, max(short_side, short_side * width // height)
    return max(short_side, short_side * height // width), short_side


def resize_frames(frames: Tensor, short_side: int) -> Tensor:
    """Resizes the short side of uint8 frames ``[T, 3, H, W]`` to ``short_side`` pixels; bilinear, antialiased.

    A frame's result does not depend on the other frames, nor on the memory layout, which it keeps. Colours of a pixel
    beside each other, as decoders give them (`torch.channels_last`), take half the time.
    """
    return resize_to(frames, resized_size(frames.shape[-2], frames.shape[-1], short_side))


def resize_to(frames: Tensor, size: tuple[int, int]) -> Tensor:
    """`resize_frames` to a height and width in pixels."""
    from torch.nn.functional import interpolate

    if size == tuple(frames.shape[-2:]):
        return frames
    return interpolate(frames, size, mode="bilinear", antialias=True)
