"""Augmentation in time: playback-rate distortion, dropout of frames and a random window, in this order (SSTL 3.1).

Only "crop last" is printed; that distortion precedes dropout, and that it never drops so many frames that
too few are left, is inferred.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from raysl.config.sections import TemporalOptions
from raysl.views.placement import Placement


def augment_in_time(
    placement: Placement, options: TemporalOptions, frames: int, generator: np.random.Generator
) -> Placement:
    """Chooses ``frames`` of the placed ``frames + options.buffer_frames``; without options, the placement itself.

    Its ``distortion`` is the playback rate p as drawn, which is the paper's label; the realised rate, all frames by
    those that were kept, varies randomly about it.

    Args:
        frames: of the clip that is left.
        generator: of this video, epoch and view.
    """
    if options.buffer_frames == 0:
        return placement
    kept = np.arange(placement.frames)
    rate = float(generator.uniform(1.0, options.max_rate))
    kept = _distorted(kept, rate, options.buffer_frames - options.dropped_frames, generator)
    kept = _thinned(kept, options.dropped_frames, generator)
    first = int(generator.integers(len(kept) - frames + 1))
    window = tuple(kept[first : first + frames].tolist())
    return placement._replace(kept=window, distortion=rate)


def _distorted(kept: NDArray[np.int64], rate: float, most: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Each frame dropped with probability 1 - 1 / rate, at most ``most``: then a random part of those."""
    draws = generator.random(len(kept))
    dropped = np.argsort(draws, kind="stable")[: int((draws < 1.0 - 1.0 / rate).sum())]
    return np.delete(kept, dropped[:most])


def _thinned(kept: NDArray[np.int64], dropped: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """``dropped`` of the frames dropped, no two adjacent, every such choice equally likely.

    Choosing d of n without neighbours is choosing d of n - d + 1 with the i-th moved up by i.
    """
    places = np.sort(generator.permutation(len(kept) - dropped + 1)[:dropped])
    return np.delete(kept, places + np.arange(dropped))
