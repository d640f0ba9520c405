"""What every evaluation protocol on frozen features is; the result of any protocol, and the checks that all share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from raysl.data.catalog import Video
from raysl.errors import CellFailure, DataError


@dataclass(frozen=True)
class LabelledVideos:
    """Videos of one split, one row each, in catalog order, the same on every rank.

    Attributes:
        video: ``[N]`` int64, catalog indices.
        label: ``[N]`` int64, class indices.
        path: N names.
        group: N groups, None where a video has none.
    """

    video: NDArray[np.int64]
    label: NDArray[np.int64]
    path: tuple[str, ...]
    group: tuple[str | None, ...]

    @classmethod
    def of(cls, videos: Sequence[Video]) -> LabelledVideos:
        """Of a catalog's videos, all of which have labels."""
        return LabelledVideos(
            video=np.array([video.index for video in videos], dtype=np.int64),
            label=np.array([video.label for video in videos], dtype=np.int64),
            path=tuple(video.path for video in videos),
            group=tuple(video.group for video in videos),
        )

    def __len__(self) -> int:
        return len(self.path)


@dataclass(frozen=True)
class Features(LabelledVideos):
    """Features of one split, one row per readable labelled video.

    Attributes:
        values: ``[N, D]`` float32, mean over the clips of a video.
    """

    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        lengths = {len(self.video), len(self.label), len(self.path), len(self.group), len(self.values)}
        if len(lengths) != 1 or self.values.ndim != 2:
            raise ValueError(f"features of unequal lengths {sorted(lengths)} or values of shape {self.values.shape}")


@dataclass(frozen=True)
class EvaluationResult:
    """What one protocol measured.

    Attributes:
        metrics: name to percent (``top1``, ``R@1``) or to a cosine times 100; the first one, the headline, is percent.
        predictions: one row per test video: video (int), path, label, correct (bool; its mean is the headline),
            and the protocol's own columns.
        details: what the protocol chose (regularisation), counts of videos, seconds; JSON-serialisable.
    """

    metrics: dict[str, float]
    predictions: pd.DataFrame
    details: dict[str, object]


class FeatureProtocol(ABC):
    """Base of protocols on frozen features: ``COMPONENT.build(options) -> FeatureProtocol``.

    Pure: no model, no ranks; the same features and seed give the same result. Its options extend ``FeatureOptions``.
    """

    def evaluate(self, train: Features, test: Features, classes: tuple[str, ...], seed: int) -> EvaluationResult:
        """Learns on ``train`` alone, measures on ``test``; neither is changed.

        Args:
            classes: class names by index; those without a training or a test video are listed in the details.
            seed: of everything the protocol draws (the folds of a cross-validation).

        Raises:
            DataError: a split without videos, a training set with fewer than two classes, or a video in both.
            CellFailure: features that are not finite.
        """
        check_videos(train, test, classes)
        for split, features in (("train", train), ("test", test)):
            check_finite(split, features.path, features.values)
        result = self.measure(train, test, classes, seed)
        return replace(result, details={**coverage(train, test, classes), **result.details})

    @abstractmethod
    def measure(self, train: Features, test: Features, classes: tuple[str, ...], seed: int) -> EvaluationResult:
        """``evaluate`` on inputs that have been checked; what each protocol implements."""


def prediction_table(test: LabelledVideos, correct: NDArray[np.bool_], **columns: object) -> pd.DataFrame:
    """The columns that every protocol's predictions begin with, then its own, one row per test video."""
    base = {"video": test.video, "path": list(test.path), "label": test.label, "correct": correct}
    return pd.DataFrame({**base, **columns})


def percent(hits: NDArray[np.bool_]) -> float:
    """Share of hits in percent."""
    return 100.0 * float(np.mean(hits))


def check_videos(train: LabelledVideos, test: LabelledVideos, classes: tuple[str, ...]) -> None:
    """What `FeatureProtocol.evaluate` says of a `DataError`."""
    for split, videos in (("train", train), ("test", test)):
        if len(videos) == 0:
            raise DataError(f"there is no readable labelled video in the {split} split: nothing to evaluate")
        outside = (videos.label < 0) | (videos.label >= len(classes))
        if outside.any():
            row = int(np.argmax(outside))
            raise DataError(f"{videos.path[row]} has label {videos.label[row]}, but there are {len(classes)} classes")
    if len(np.unique(train.label)) < 2:
        only = classes[int(train.label[0])]
        raise DataError(f"all {len(train)} training videos are of one class ({only}): an evaluation needs two or more")
    both = sorted(set(train.path) & set(test.path))
    if both:
        raise DataError(f"{len(both)} videos are in both the train and the test split, e.g. {both[0]}")


def check_finite(split: str, path: tuple[str, ...], values: NDArray[np.float32], what: str = "features") -> None:
    """Refuses rows of ``values`` with NaN or infinity.

    Raises:
        CellFailure: with how many there are, and the first one's path.
    """
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        raise CellFailure(
            f"{what} are not finite (NaN or infinite) for {int(bad.sum())} of {len(path)} {split} videos",
            {"first_video": path[int(np.argmax(bad))], "videos": int(bad.sum())},
        )


def coverage(train: LabelledVideos, test: LabelledVideos, classes: tuple[str, ...]) -> dict[str, object]:
    """Counts of videos and of classes that one of the splits lacks, for the details of a result."""
    taught, asked = set(train.label.tolist()), set(test.label.tolist())
    return {
        "train_videos": len(train),
        "test_videos": len(test),
        "classes": len(classes),
        "classes_without_train_videos": [name for index, name in enumerate(classes) if index not in taught],
        "classes_without_test_videos": [name for index, name in enumerate(classes) if index not in asked],
        "test_videos_of_untaught_classes": int(np.isin(test.label, sorted(asked - taught)).sum()),
    }
