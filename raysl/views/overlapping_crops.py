"""The second of two crops of one size that share a given part of their area (STOR; see views/pairs/overlap.py)."""

from __future__ import annotations

import math

import numpy as np

from raysl.views.augmentation_options import Box

ROUNDING = 1e-9
"""Tolerance for a whole number after rounding errors."""


def second_crop(first: Box, rate: float, generator: np.random.Generator) -> Box:
    """A crop of the first one's size that shares ``rate`` of it at one of its corners; it may leave the frame.

    Args:
        first: (top, left, height, width) in pixels.
    """
    top, left, height, width = first
    shared_width = int(generator.integers(_least_width(width, rate), width + 1))
    shared_height = _shared_height(height, width, rate, shared_width)
    corner = int(generator.integers(4))
    down, right = (1 if corner & 2 else -1), (1 if corner & 1 else -1)
    return top + down * (height - shared_height), left + right * (width - shared_width), height, width


def second_crops(first: Box, rate: float, size: tuple[int, int]) -> list[Box]:
    """All crops that `second_crop` can give inside a frame of this ``size``, each as often as it would."""
    top, left, height, width = first
    shared_width = np.arange(_least_width(width, rate), width + 1)
    shared_height = np.floor(rate * width * height / shared_width + ROUNDING).astype(np.int64).clip(1, height)
    down, right = height - shared_height, width - shared_width
    tops = top + np.stack([-down, -down, down, down], axis=1).ravel()
    lefts = left + np.stack([-right, right, -right, right], axis=1).ravel()
    fits = (tops >= 0) & (tops <= size[0] - height) & (lefts >= 0) & (lefts <= size[1] - width)
    return [(y, x, height, width) for y, x in zip(tops[fits].tolist(), lefts[fits].tolist(), strict=True)]


def _least_width(width: int, rate: float) -> int:
    return max(1, floor(rate * width))


def _shared_height(height: int, width: int, rate: float, shared_width: int) -> int:
    # Because the width is rounded down, the resulting height can exceed the crop's.
    return min(height, max(1, floor(rate * width * height / shared_width)))


def inside(box: Box, size: tuple[int, int]) -> bool:
    top, left, height, width = box
    return 0 <= top <= size[0] - height and 0 <= left <= size[1] - width


def floor(value: float) -> int:
    """Rounded down, with a tolerance for rounding errors below a whole number: (1 - 0.8) * 15 is 3."""
    return math.floor(value + ROUNDING)
