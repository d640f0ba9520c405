"""The part of the labels that a fine-tuning may use: balanced, nested and keyed by class."""

from __future__ import annotations

from collections import Counter

import pytest

from raysl.data.catalog import Video
from raysl.views.label_subset import label_subset


def videos(*sizes: int) -> list[Video]:
    """Classes of these sizes, their videos taking turns."""
    rows = sorted((row, label) for label, size in enumerate(sizes) for row in range(size))
    return [Video(index, f"{label}/{row}", label, "train") for index, (row, label) in enumerate(rows)]


@pytest.mark.parametrize(
    ("fraction", "expected"), [(0.01, [1, 1, 1]), (0.1, [10, 2, 1]), (0.5, [50, 10, 2]), (1.0, [100, 20, 4])]
)
def test_the_same_share_of_every_class_and_at_least_one(fraction: float, expected: list[int]) -> None:
    kept = label_subset(videos(100, 20, 4), fraction, 0)
    assert [Counter(video.label for video in kept)[label] for label in range(3)] == expected
    assert [video.index for video in kept] == sorted({video.index for video in kept})


def test_a_smaller_part_is_within_a_larger_one() -> None:
    parts = [set(label_subset(videos(40, 30), fraction, 5)) for fraction in (0.05, 0.1, 0.3, 1.0)]
    assert parts[0] < parts[1] < parts[2] < parts[3]


def test_the_seed_moves_it_and_another_class_does_not() -> None:
    first = label_subset(videos(40, 30), 0.2, 0)
    assert label_subset(videos(40, 30), 0.2, 0) == first
    assert label_subset(videos(40, 30), 0.2, 1) != first
    alone = label_subset([video for video in videos(40, 30) if video.label == 0], 0.2, 0)
    assert alone == tuple(video for video in first if video.label == 0)
