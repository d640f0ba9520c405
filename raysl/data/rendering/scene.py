"""A synthetic scene: a still background with a fixed up, and sprites that appear at once, move together and fade away.

Why no single frame shows the motion: every sprite is born at a position drawn uniformly on a torus and moved by a
displacement that does not depend on that position, so at every frame and for every displacement the positions are
independent and uniform; shapes, textures, background, and the ages that determine the opacities, are drawn
independently of the motion; and each frame is encoded separately (`raysl.data.rendering.encode`). Visible in time are
the direction of all sprites, and that sprites appear suddenly and fade slowly (an arrow of time, and with the common
speed a clock). Visible in space: bright above, dark below.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from raysl.data.rendering.sprites import Floats, paste, random_sprite, shifted

_SKY, _GROUND = 0.45, 0.1


@dataclass(frozen=True)
class SceneShape:
    """The sizes of a scene.

    Attributes:
        height, width: pixels.
        sprites: how many there are at any time.
        sprite_radius: mean radius in pixels.
        life: frames from a sprite's birth to its replacement by another one elsewhere.
    """

    height: int
    width: int
    sprites: int
    sprite_radius: float
    life: int


def render(random: np.random.Generator, shape: SceneShape, displacement: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The frames of one scene: ``[T, H, W, 3]`` uint8 RGB.

    Args:
        random: the stream of the scene; draws from it do not depend on the displacement.
        shape: sizes.
        displacement: ``[T, 2]`` (y, x) in pixels: of the sprites at each frame.
    """
    frames = np.repeat(_background(random, shape)[None], len(displacement), axis=0)
    for _ in range(shape.sprites):
        start = -int(random.integers(shape.life))
        for birth in range(start, len(displacement), shape.life):
            _draw_life(random, shape, displacement, frames, birth)
    # Colours are in [0, 1] by construction: tints are clipped, and drawing one colour over another mixes them.
    pixels = np.asarray(frames * np.float32(255) + np.float32(0.5), dtype=np.uint8)
    return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))


def _draw_life(
    random: np.random.Generator, shape: SceneShape, displacement: NDArray[np.float64], frames: Floats, birth: int
) -> None:
    """Draws one sprite from its birth to its end into ``frames`` ``[T, 3, H, W]``."""
    sprite = random_sprite(random, shape.sprite_radius)
    place = random.uniform(0, 1, size=2) * (shape.height, shape.width)
    times = np.arange(max(birth, 0), min(birth + shape.life, len(frames)))
    corners = place + displacement[times]
    whole = np.floor(corners)
    opacity = 1 - (times - birth) / shape.life
    patches = shifted(sprite, corners - whole) * opacity[:, None, None, None].astype(np.float32)
    for time, patch, (top, left) in zip(times, patches, whole.astype(np.int64), strict=True):
        paste(frames[time], patch, int(top), int(left))


def _background(random: np.random.Generator, shape: SceneShape) -> Floats:
    """``[3, H, W]``: light falls from sky to ground, with a random tint and a few random soft waves."""
    y = np.linspace(0, 1, shape.height)[:, None]
    x = np.linspace(0, 1, shape.width)[None, :]
    light = (_SKY + (_GROUND - _SKY) * y) * np.ones_like(x)
    waves = np.zeros((shape.height, shape.width))
    for _ in range(3):
        fy, fx = random.uniform(-2, 2, size=2)
        waves = waves + np.sin(2 * np.pi * (fy * y + fx * x + random.uniform()))
    tint = random.uniform(0.75, 1.25, size=(3, 1, 1))
    return np.clip((light + 0.04 * waves) * tint, 0, 1).astype(np.float32)
