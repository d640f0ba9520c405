"""The base of evaluation protocols: what they read and return, and the checks that all share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from raysl.config.cell import CellConfig
from raysl.config.sections import ClipOptions
from raysl.data.catalog import Video
from raysl.data.places import NOTHING
from raysl.errors import CellFailure, DataError

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from raysl.data.source import VideoSource
    from raysl.evaluation.over_videos import Precision
    from raysl.models.backbone import Backbone
    from raysl.objectives.objective import Objective


@dataclass(frozen=True)
class LabelledVideos:
    """Videos of one split, one row each, in catalog order, the same on every rank.

    Attributes:
        video: ``[N]`` int64, catalog indices.
        label: ``[N]`` int64, class indices.
        path: N names.
        group: N groups, None for a video without one.
    """

    video: NDArray[np.int64]
    label: NDArray[np.int64]
    path: tuple[str, ...]
    group: tuple[str | None, ...]

    @classmethod
    def of(cls, videos: Sequence[Video]) -> LabelledVideos:
        """From a catalog's videos, which must all have labels."""
        return LabelledVideos(
            video=np.array([video.index for video in videos], dtype=np.int64),
            label=np.array([video.label for video in videos], dtype=np.int64),
            path=tuple(video.path for video in videos),
            group=tuple(video.group for video in videos),
        )

    def __len__(self) -> int:
        return len(self.path)

    def rows(self, chosen: NDArray[np.int64]) -> LabelledVideos:
        """Selected rows, which may be repeated."""
        return LabelledVideos(
            video=self.video[chosen],
            label=self.label[chosen],
            path=tuple(self.path[row] for row in chosen.tolist()),
            group=tuple(self.group[row] for row in chosen.tolist()),
        )


@dataclass(frozen=True)
class Features(LabelledVideos):
    """Features of one split, one row per readable labelled video, or one per clip of each, those of a video together.

    Attributes:
        values: ``[N, D]`` float32, mean over the clips of a video, or of one clip.
    """

    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        lengths = {len(self.video), len(self.label), len(self.path), len(self.group), len(self.values)}
        if len(lengths) != 1 or self.values.ndim != 2:
            raise ValueError(f"features of unequal lengths {sorted(lengths)} or values of shape {self.values.shape}")


@dataclass(frozen=True)
class EvaluationResult:
    """The result of one protocol.

    Attributes:
        metrics: name to percent (``top1``, ``R@1``) or to a cosine times 100; the first one, the headline, is percent.
        predictions: one row per test video: video (int), path, label, correct (bool, or the share of a video's clips if
            clips are scored one by one; its mean is the headline), and the protocol's own columns.
        details: what the protocol chose (regularisation), counts of videos, seconds; JSON-serialisable.
    """

    metrics: dict[str, float]
    predictions: pd.DataFrame
    details: dict[str, object]


LoadNetwork = Callable[[], tuple["Objective", tuple[str, ...]]]
"""Gives a cell's whole network, and the names of the classes that it was trained on."""


@dataclass(frozen=True)
class Task:
    """The input of a protocol, on every rank.

    Attributes:
        backbone: on ``device``; restored afterwards.
        source: the labelled set.
        clip: that of the backbone's training.
        seed: of everything the protocol draws, except what all cells share.
        batch_clips: about how many clips a forward pass has.
        cell: that trained the backbone; None if unknown.
        load_network: loads the cell's backbone and heads.
        label: of the evaluation, for messages.
        options: of the protocol; they determine what it reads.
        files: from the name of a file to the file, for protocols that read one (`Component.file`).
        known: shared with other evaluations of the cell: features that were extracted already.
    """

    backbone: Backbone
    source: VideoSource
    clip: ClipOptions
    seed: int
    device: torch.device
    precision: Precision = "float32"
    batch_clips: int = 40
    cell: CellConfig | None = None
    load_network: LoadNetwork | None = None
    label: str = "evaluation"
    options: Any = None
    files: Mapping[str, Path] = field(default_factory=lambda: NOTHING)
    known: dict[Hashable, Any] = field(default_factory=dict)

    def network(self) -> tuple[CellConfig, Objective, tuple[str, ...]]:
        """The cell with its backbone and heads, on ``device``, and the names of its training's classes. Collective.

        Raises:
            ValueError: the task has no network.
        """
        from raysl.distributed import on_every_rank

        if self.cell is None or self.load_network is None:
            raise ValueError(f"evaluation {self.label} needs the cell's whole network")
        if "network" not in self.known:
            objective, classes = on_every_rank(self.load_network)
            self.known["network"] = objective.to(self.device), classes
        objective, classes = self.known["network"]
        return self.cell, objective, classes


class Protocol(ABC):
    """Base of every evaluation protocol: ``COMPONENT.build(options) -> Protocol``.

    The same backbone, data and seed give the same result on any number of ranks. A protocol that trains does
    not extend it: it declares `Component.downstream`, a cell, and which protocol measures that cell.

    Attributes:
        reads: ``features``: of whole videos, extracted once for all protocols that read the same
            (`raysl.evaluation.feature_protocol`); ``clips``: the frozen backbone clip by clip; ``network``: the
            cell's whole network, with the heads that it trained. Of the class, or of one with its options.
    """

    reads: Literal["features", "clips", "network"]

    @abstractmethod
    def evaluate(self, task: Task) -> EvaluationResult:
        """Measures the cell on the labelled set. Collective.

        Returns:
            The same on every rank; its predictions have one row per test video in use, in catalog order. If the
            headline is not a share of correct videos, there is no column ``correct``, and no test over videos.

        Raises:
            DataError: no video to measure, or too few classes; on every rank.
            NodeFault: a video that cannot be read any more; on every rank.
            ConfigError: the options do not fit the cell; on every rank.
            CellFailure: features or scores that are not finite; on every rank.
        """


def prediction_table(
    test: LabelledVideos, correct: NDArray[np.bool_] | NDArray[np.float64], **columns: object
) -> pd.DataFrame:
    """The columns that every protocol's predictions begin with, then its own, one row per test video."""
    import pandas as pd

    base = {"video": test.video, "path": list(test.path), "label": test.label, "correct": correct}
    return pd.DataFrame({**base, **columns})


def percent(hits: NDArray[np.bool_]) -> float:
    """Share of hits in percent."""
    return 100.0 * float(np.mean(hits))


def check_videos(train: LabelledVideos, test: LabelledVideos, classes: tuple[str, ...]) -> None:
    """Refuses what `FeatureProtocol.evaluate` documents as `DataError`."""
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
    parted = sorted((set(train.group) & set(test.group)) - {None}, key=str)
    if parted:
        raise DataError(
            f"{len(parted)} groups are in both the train and the test split, e.g. {parted[0]}: training on some of its "
            "videos reveals the others. Split by whole groups, or leave `group` out if it names no groups"
        )


def check_finite(split: str, path: tuple[str, ...], values: NDArray[np.float32], what: str = "features") -> None:
    """Refuses rows of ``values`` with NaN or infinity.

    Raises:
        CellFailure: with their number.
    """
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        raise CellFailure(
            f"{what} are not finite (NaN or infinite) for {int(bad.sum())} of {len(path)} {split} videos",
            {"first_video": path[int(np.argmax(bad))], "videos": int(bad.sum())},
        )


def coverage(train: LabelledVideos, test: LabelledVideos, classes: tuple[str, ...]) -> dict[str, object]:
    """Numbers of videos, and classes that one of the splits lacks, for the details of a result."""
    taught, asked = set(train.label.tolist()), set(test.label.tolist())
    return {
        "train_videos": len(train),
        "test_videos": len(test),
        "classes": len(classes),
        "classes_without_train_videos": [name for index, name in enumerate(classes) if index not in taught],
        "classes_without_test_videos": [name for index, name in enumerate(classes) if index not in asked],
        "test_videos_of_untaught_classes": int(np.isin(test.label, sorted(asked - taught)).sum()),
    }
