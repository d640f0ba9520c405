"""A class-balanced part of the labelled training videos (CVRL Tables 3 and 11; TCLR's limited labels)."""

from __future__ import annotations

from collections.abc import Sequence

from raysl.data.catalog import Video
from raysl.streams import stream


def label_subset(videos: Sequence[Video], fraction: float, seed: int) -> tuple[Video, ...]:
    """The same share of every class, at least one video of each, in the order of ``videos``.

    Every class draws from its own stream. A smaller fraction's videos are among a larger one's, and another class does
    not change the draws.

    Args:
        videos: with labels.
        fraction: above 0, at most 1; halves are rounded up.
    """
    by_class: dict[int, list[int]] = {}
    for video in videos:
        assert video.label is not None
        by_class.setdefault(video.label, []).append(video.index)
    kept: set[int] = set()
    for label, indices in by_class.items():
        count = max(1, int(fraction * len(indices) + 0.5))
        drawn = stream(seed, "label subset", label).permutation(sorted(indices))
        kept.update(drawn[:count].tolist())
    return tuple(video for video in videos if video.index in kept)
