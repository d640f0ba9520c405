"""What every evaluation protocol on frozen features is: its inputs, its result, and the checks that all share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from raysl.errors import CellFailure, DataError


@dataclass(frozen=True)
class Features:
    """Features of one split, one row per readable labelled video, in catalog order, the same on every rank.

    Attributes:
        video: ``[N]`` int64, catalog indices.
        label: ``[N]`` int64, class indices.
        path: N names.
        group: N groups, None where a video has none.
        values: ``[N, D]`` float32, mean over the clips of a video.
    """

    video: NDArray[np.int64]
    label: NDArray[np.int64]
    path: tuple[str, ...]
    group: tuple[str | None, ...]
    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        lengths = {len(self.video), len(self.label), len(self.path), len(self.group), len(self.values)}
        if len(lengths) != 1 or self.values.ndim != 2:
            raise ValueError(f"features of unequal lengths {sorted(lengths)} or values of shape {self.values.shape}")

    def __len__(self) -> int:
        return len(self.path)


@dataclass(frozen=True)
class EvaluationResult:
    """What one protocol measured.

    Attributes:
        metrics: name to percent (``top1``, ``R@1``); the first one is the headline.
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
        _check_videos(train, test, classes)
        for split, features in (("train", train), ("test", test)):
            _check_finite(split, features)
        result = self.measure(train, test, classes, seed)
        return replace(result, details={**_coverage(train, test, classes), **result.details})

    @abstractmethod
    def measure(self, train: Features, test: Features, classes: tuple[str, ...], seed: int) -> EvaluationResult:
        """``evaluate`` on inputs that have been checked; what each protocol implements."""


def prediction_table(test: Features, correct: NDArray[np.bool_], **columns: object) -> pd.DataFrame:
    """The columns that every protocol's predictions begin with, then its own, one row per test video."""
    base = {"video": test.video, "path": list(test.path), "label": test.label, "correct": correct}
    return pd.DataFrame({**base, **columns})


def percent(hits: NDArray[np.bool_]) -> float:
    """Share of hits in percent."""
    return 100.0 * float(np.mean(hits))


def _check_videos(train: Features, test: Features, classes: tuple[str, ...]) -> None:
    for split, features in (("train", train), ("test", test)):
        if len(features) == 0:
            raise DataError(f"there is no readable labelled video in the {split} split: nothing to evaluate")
        outside = (features.label < 0) | (features.label >= len(classes))
        if outside.any():
            row = int(np.argmax(outside))
            raise DataError(
                f"{features.path[row]} has label {features.label[row]}, but there are {len(classes)} classes"
            )
    if len(np.unique(train.label)) < 2:
        only = classes[int(train.label[0])]
        raise DataError(f"all {len(train)} training videos are of one class ({only}): an evaluation needs two or more")
    both = sorted(set(train.path) & set(test.path))
    if both:
        raise DataError(f"{len(both)} videos are in both the train and the test split, e.g. {both[0]}")


def _check_finite(split: str, features: Features) -> None:
    bad = ~np.isfinite(features.values).all(axis=1)
    if bad.any():
        path = features.path[int(np.argmax(bad))]
        raise CellFailure(
            f"features are not finite (NaN or infinite) for {int(bad.sum())} of {len(features)} {split} videos",
            {"first_video": path, "videos": int(bad.sum())},
        )


def _coverage(train: Features, test: Features, classes: tuple[str, ...]) -> dict[str, object]:
    taught, asked = set(train.label.tolist()), set(test.label.tolist())
    return {
        "train_videos": len(train),
        "test_videos": len(test),
        "classes": len(classes),
        "classes_without_train_videos": [name for index, name in enumerate(classes) if index not in taught],
        "classes_without_test_videos": [name for index, name in enumerate(classes) if index not in asked],
        "test_videos_of_untaught_classes": int(np.isin(test.label, sorted(asked - taught)).sum()),
    }
