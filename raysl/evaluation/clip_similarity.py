"""Similarity of a video's clips to one another, to copies augmented in time, and to other videos (SSTL Fig. 1, 2).

All similarities are cosines of pooled features times 100. A feature of zero length is similar to nothing.

Shapes: V videos, K clips of a video, P = K (K - 1) / 2 pairs of them, E kinds of copies, D feature channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

Floats = NDArray[np.float64]
VIDEOS_AT_ONCE = 1024
BINS = np.linspace(-100.0, 100.0, 101)
"""Edges of the histograms."""


def reduce_clips(values: Tensor, clips: int) -> Tensor:
    """Reduces a video's features, ``[V, K + E K, D]`` to ``[V, P + E + D]`` float64.

    The similarities of its pairs of clips (0 with 1, 0 with 2, ..., 1 with 2, ...), the mean similarity of a clip with
    its copy of each kind, and the mean of the clips' features at unit length.

    Args:
        values: for each video its K clips, then for each kind of copies those of all clips.
        clips: K.
    """
    rows = functional.normalize(values.double(), dim=2)  # autocast does not change float64
    own, copies = rows[:, :clips], rows[:, clips:].view(len(rows), -1, clips, rows.shape[2])
    first, second = torch.triu_indices(clips, clips, offset=1, device=rows.device)
    pairs = (own @ own.transpose(1, 2))[:, first, second]
    copied = (copies * own[:, None]).sum(dim=3).mean(dim=2)
    return torch.cat([100 * pairs, 100 * copied, own.mean(dim=1)], dim=1)


@dataclass(frozen=True)
class ClipSimilarities:
    """The parts of what `reduce_clips` returns.

    Attributes:
        pairs: ``[V, P]``. augmented: ``[V, E]``. mean: ``[V, D]``, of unit features.
    """

    pairs: Floats
    augmented: Floats
    mean: Floats

    @classmethod
    def of(cls, values: NDArray[np.float32], clips: int, kinds: int) -> ClipSimilarities:
        count = clips * (clips - 1) // 2
        pairs, augmented, mean = np.split(values.astype(np.float64), [count, count + kinds], axis=1)
        return cls(pairs, augmented, mean)


@dataclass(frozen=True)
class OtherVideos:
    """Similarities of each video's clips with those of all others.

    Attributes:
        mean: ``[V]``, over all other videos. nearest: ``[V]``, with the other video they are most similar to.
        histogram: of all V (V - 1) pairs of videos, over `BINS`.
    """

    mean: Floats
    nearest: Floats
    histogram: NDArray[np.int64]


def other_videos(mean: Floats) -> OtherVideos:
    """The mean similarity of the clips of two videos is the product of their mean unit features.

    Args:
        mean: ``[V, D]`` of at least two videos.
    """
    total, nearest, histogram = [], [], np.zeros(len(BINS) - 1, dtype=np.int64)
    for start in range(0, len(mean), VIDEOS_AT_ONCE):
        block = 100 * mean[start : start + VIDEOS_AT_ONCE] @ mean.T
        other = np.ones(block.shape, dtype=bool)
        other[np.arange(len(block)), start + np.arange(len(block))] = False
        total.append(block.sum(axis=1, where=other))
        nearest.append(block.max(axis=1, where=other, initial=-np.inf))
        histogram += counts(block[other])
    return OtherVideos(np.concatenate(total) / (len(mean) - 1), np.concatenate(nearest), histogram)


def counts(values: Floats) -> NDArray[np.int64]:
    """A histogram over `BINS`; values that rounding put outside count in the end bins."""
    return np.asarray(np.histogram(values.clip(BINS[0], BINS[-1]), BINS)[0], dtype=np.int64)


def pair_distances(starts: Sequence[int], length: int) -> Floats:
    """``[P]`` distances of a video's clips, in the order of `reduce_clips`, as shares of its length; 0: one clip."""
    first, second = np.triu_indices(len(starts), k=1)
    at = np.asarray(starts, dtype=np.float64)
    return np.asarray(np.abs(at[second] - at[first]) / length, dtype=np.float64)


def mean_where(values: Floats, chosen: NDArray[np.bool_]) -> Floats:
    """``[V]`` means over the chosen entries of each row of ``[V, P]``; NaN if none is chosen."""
    count = chosen.sum(axis=1)
    total = np.where(chosen, values, 0.0).sum(axis=1)
    return np.asarray(np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0), dtype=np.float64)
