"""Where one clip may start."""

from __future__ import annotations

import numpy as np

from raysl.config.sections import ClipOptions


def uniform_start(length: int, clip: ClipOptions, generator: np.random.Generator) -> int:
    """A start drawn uniformly so that the clip lies inside a video of ``length`` frames.

    A video shorter than the clip's span starts anywhere in it and wraps around (CVRL 7.2 [C]).
    """
    starts = length - clip.span + 1
    return int(generator.integers(starts if starts > 0 else length))
