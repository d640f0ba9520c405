"""The box of a random resized crop."""

from __future__ import annotations

import math

import numpy as np

ATTEMPTS = 10
"""Boxes tried before the largest centre box of an allowed aspect is taken, as torchvision does."""


def draw_crop(
    height: int,
    width: int,
    area: tuple[float, float],
    aspect: tuple[float, float],
    generator: np.random.Generator,
    *,
    log_aspect: bool = True,
    swap: bool = False,
    whole: bool = False,
) -> tuple[int, int, int, int]:
    """A box with uniform area and (logarithm of the) aspect, width by height, uniformly placed in the frame.

    Args:
        height, width: of the frame, pixels.
        area: smallest and largest, as shares of the frame.
        aspect: narrowest and widest.
        generator: gives 22 numbers, 32 with ``swap``, however many boxes fit.
        log_aspect: the aspect is log-uniform (torchvision); False: uniform (CVRL 7.3).
        swap: with probability 1/2 width and height of a box are exchanged (code: CSTP).
        whole: the largest square instead, ignoring area and aspect; placed like any box.

    Returns:
        (top, left, height, width) in pixels.
    """
    pixels = height * width * generator.uniform(*area, size=ATTEMPTS)
    if log_aspect:
        ratios = np.exp(generator.uniform(math.log(aspect[0]), math.log(aspect[1]), size=ATTEMPTS))
    else:
        ratios = generator.uniform(*aspect, size=ATTEMPTS)
    place = generator.random(2)
    if swap:
        ratios = np.where(generator.random(ATTEMPTS) < 0.5, 1.0 / ratios, ratios)
    if whole:
        side = min(height, width)
        return int(place[0] * (height - side + 1)), int(place[1] * (width - side + 1)), side, side
    # One box after another until one fits: NumPy on all of them at once takes three times as long.
    for wanted, ratio in zip(pixels.tolist(), ratios.tolist(), strict=True):
        box_width, box_height = round(math.sqrt(wanted * ratio)), round(math.sqrt(wanted / ratio))
        if 0 < box_width <= width and 0 < box_height <= height:
            break
    else:
        return _largest_center(height, width, aspect)
    top = int(place[0] * (height - box_height + 1))
    left = int(place[1] * (width - box_width + 1))
    return top, left, box_height, box_width


def _largest_center(height: int, width: int, aspect: tuple[float, float]) -> tuple[int, int, int, int]:
    ratio = min(max(width / height, aspect[0]), aspect[1])
    box_width = max(1, min(width, round(height * ratio)))
    box_height = max(1, min(height, round(width / ratio)))
    return (height - box_height) // 2, (width - box_width) // 2, box_height, box_width
