"""The motions of the synthetic classes: one path in the plane, along which all sprites of a video move.

Shapes: T frames; the last axis is (y, x) in pixels, y pointing down.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Track = NDArray[np.float64]


def _line(step_y: float, step_x: float) -> Callable[[NDArray[np.float64], float, float], Track]:
    def path(travelled: NDArray[np.float64], radius: float, phase: float) -> Track:
        return np.stack([travelled * step_y, travelled * step_x], axis=-1)

    return path


def _circle(turn: int) -> Callable[[NDArray[np.float64], float, float], Track]:
    def path(travelled: NDArray[np.float64], radius: float, phase: float) -> Track:
        angle = 2 * np.pi * phase + turn * travelled / radius
        return radius * np.stack([np.sin(angle), np.cos(angle)], axis=-1)

    return path


def _shake(step_y: float, step_x: float) -> Callable[[NDArray[np.float64], float, float], Track]:
    def path(travelled: NDArray[np.float64], radius: float, phase: float) -> Track:
        # A triangle wave keeps the speed of the other motions at every frame; its period is the circle's.
        period = 2 * np.pi * radius
        offset = np.abs((travelled + phase * period) % period - period / 2)
        return np.stack([offset * step_y, offset * step_x], axis=-1)

    return path


_PATHS = {
    "right": _line(0, 1),
    "left": _line(0, -1),
    "down": _line(1, 0),
    "up": _line(-1, 0),
    "clockwise": _circle(1),
    "anticlockwise": _circle(-1),
    "horizontal_shake": _shake(0, 1),
    "vertical_shake": _shake(1, 0),
}

MOTIONS: tuple[str, ...] = tuple(_PATHS)
"""All motions; a data set of n classes has the first n."""


def displacement(motion: str, *, frames: int, speed: float, radius: float, phase: float) -> Track:
    """The displacement of the sprites since frame 0: ``[T, 2]`` in pixels, zero at frame 0.

    Args:
        motion: one of ``MOTIONS``.
        frames: T.
        speed: pixels a frame along the path, the same in every motion.
        radius: of the circles in pixels; the shakes take as many frames for their period.
        phase: where on its circle or shake the video starts, in turns.
    """
    travelled = speed * np.arange(frames, dtype=np.float64)
    path = _PATHS[motion](travelled, radius, phase)
    return np.asarray(path - path[0], dtype=np.float64)
