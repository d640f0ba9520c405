"""Sprites: small random shapes with a random texture, all lit from above.

Shapes: S height and width of a patch, L frames; colours in [0, 1], float32, premultiplied by their coverage. Channels
come first, because NumPy is twice as fast on long last axes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
# Sprites are brighter than any background: with random polarity a small network learnt no direction of motion from RGB
# (supervised, 240 videos, 280 steps: chance); with this one it learns it in 100 steps.
_DARKEST = 0.65
_LIGHT_TOP, _LIGHT_BOTTOM = 1.0, 0.7


def random_sprite(random: np.random.Generator, radius: float) -> Floats:
    """A sprite ``[4, S, S]``: colour times coverage, and coverage in the last channel.

    Args:
        random: the stream that the sprite is drawn from.
        radius: mean radius in pixels; a sprite's own is 0.75 to 1.25 times that.
    """
    half = int(np.ceil(radius * 1.25)) + 1
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    own = np.float32(radius * random.uniform(0.75, 1.25))
    coverage = np.clip(own - _distance(random, y, x) + 0.5, 0, 1)
    light = np.interp(y / own, [-1, 1], [_LIGHT_TOP, _LIGHT_BOTTOM])
    colour = _texture(random, y, x, own) * light
    return np.concatenate([colour * coverage, coverage[None]]).astype(np.float32)


def _distance(random: np.random.Generator, y: Floats, x: Floats) -> Floats:
    """Distance from the centre in a random norm: a diamond, a disc or a rounded square."""
    power = random.choice([1.2, 2.0, 6.0])
    return np.asarray((np.abs(y) ** power + np.abs(x) ** power) ** (1 / power), dtype=np.float32)


def _texture(random: np.random.Generator, y: Floats, x: Floats, radius: np.float32) -> Floats:
    """Two random colours in stripes of random orientation and width: ``[3, S, S]``."""
    colours = random.uniform(_DARKEST, 1.0, size=(2, 3, 1, 1))
    angle, phase = random.uniform(0, np.pi), random.uniform(0, 2 * np.pi)
    waves = random.uniform(0.5, 1.5) * np.pi / radius
    mix = 0.5 + 0.5 * np.sin(waves * (y * np.sin(angle) + x * np.cos(angle)) + phase)
    return np.asarray(colours[0] * mix + colours[1] * (1 - mix), dtype=np.float32)


def shifted(sprite: Floats, offsets: NDArray[np.float64]) -> Floats:
    """The sprite moved by fractions of a pixel, bilinearly: ``[L, 4, S + 1, S + 1]``.

    Args:
        sprite: ``[4, S, S]``.
        offsets: ``[L, 2]`` (y, x), each in [0, 1).
    """
    y, x = (offsets[:, axis, None, None, None].astype(np.float32) for axis in (0, 1))
    padded = np.pad(sprite, ((0, 0), (1, 1), (1, 1)))
    rows = (1 - y) * padded[None, :, 1:] + y * padded[None, :, :-1]
    return np.asarray((1 - x) * rows[..., 1:] + x * rows[..., :-1], dtype=np.float32)


def paste(frame: Floats, patch: Floats, top: int, left: int) -> None:
    """Draws a patch ``[4, S, S]`` over a frame ``[3, H, W]`` with joined edges (a torus), in place."""
    for rows, patch_rows in _wrapped(top, patch.shape[1], frame.shape[1]):
        for columns, patch_columns in _wrapped(left, patch.shape[2], frame.shape[2]):
            part = patch[:, patch_rows, patch_columns]
            under = frame[:, rows, columns]
            under *= 1 - part[3:]
            under += part[:3]


def _wrapped(start: int, length: int, size: int) -> Iterator[tuple[slice, slice]]:
    """Positions of ``length`` pixels from ``start`` on a ring of ``size``: pairs of a frame's and a patch's slice."""
    done = 0
    while done < length:
        at = (start + done) % size
        run = min(length - done, size - at)
        yield slice(at, at + run), slice(done, done + run)
        done += run
