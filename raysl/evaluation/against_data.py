"""Checks of a cell and its evaluations against their data, before anything is trained."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from raysl.config.cell import CellConfig
from raysl.config.evaluation import EvaluationConfig
from raysl.data.catalog import AnnotatedFrame, Video
from raysl.data.snapshot import Snapshot
from raysl.errors import ConfigError, DataError
from raysl.evaluation.protocol import LabelledVideos, check_videos
from raysl.training.check_cell import check_on_videos
from raysl.views.label_subset import label_subset
from raysl.views.training_videos import annotated_frames, trains_boxes

if TYPE_CHECKING:
    from raysl.data.source import VideoSource


@dataclass(frozen=True)
class LabelledSplits:
    """The videos of a data set that evaluations use: labelled, and readable by its manifest.

    Attributes:
        train, test: in catalog order.
        lengths: decoded frames, by ``Video.index``.
        annotated: frames of test videos with boxes of people.
    """

    train: tuple[Video, ...]
    test: tuple[Video, ...]
    lengths: tuple[int, ...]
    classes: tuple[str, ...]
    annotated: tuple[AnnotatedFrame, ...] = ()

    @classmethod
    def of(cls, data: Snapshot) -> LabelledSplits:
        rows = data.manifest.rows
        usable = [video for video in data.catalog.videos if video.label is not None and rows[video.index].error is None]
        train, test = (tuple(video for video in usable if video.split == split) for split in ("train", "test"))
        tested = {video.index for video in data.catalog.split("test") if rows[video.index].error is None}
        annotated = tuple(frame for frame in data.catalog.annotated if frame.video in tested)
        return cls(train, test, tuple(row.frames for row in rows), data.catalog.classes, annotated)


def check_against_data(config: CellConfig, evaluation: EvaluationConfig | None, data: Snapshot) -> None:
    """Refuses a cell or an evaluation for which the data is not sufficient.

    Args:
        config: the pretraining.
        evaluation: made on ``data``; None: ``data`` is the pretraining set.
        data: as read; no video is decoded here.

    Raises:
        ConfigError: naming the key, or the evaluation: a batch that is larger than the set, a protocol that needs
            more videos, longer ones, or labels; whatever `check_on_videos` refuses.
    """
    if evaluation is None:
        _check_pretraining(config, data)
        return
    splits, protocol = LabelledSplits.of(data), evaluation.protocol
    try:
        if protocol.component.boxes:
            annotated_frames(_unread(data), "test")
        else:
            check_videos(LabelledVideos.of(splits.train), LabelledVideos.of(splits.test), splits.classes)
        if protocol.component.check_data is not None:
            protocol.component.check_data(protocol.options, config, splits)
    except (ConfigError, DataError) as error:
        raise ConfigError(f"evaluation {evaluation.label}, data set {evaluation.data.bound_name}: {error}") from error


def _check_pretraining(config: CellConfig, data: Snapshot) -> None:
    if config.pretraining == "none":
        return
    if not trains_boxes(config):
        _check_number(config, data)
    try:
        check_on_videos(config, _unread(data))
    except ConfigError as error:
        raise ConfigError(f"data set {config.data.bound_name!r}: {error}") from error


def _unread(data: Snapshot) -> VideoSource:
    """The data set, opened for checks that read no frame."""
    from raysl.data.frame_cache import FrameCache
    from raysl.data.source import VideoSource

    return VideoSource(data.catalog, data.manifest, Path(), FrameCache(Path(), 1, budget_bytes=0))


def _check_number(config: CellConfig, data: Snapshot) -> None:
    """Refuses a batch that is larger than the set, and labels of fewer than two classes."""
    readable = [
        video
        for video in data.catalog.videos
        if video.split == "train" and data.manifest.rows[video.index].error is None
    ]
    part = ""
    if config.pretraining == "supervised":
        readable = [video for video in readable if video.label is not None]
        labels = Counter(video.label for video in readable)
        if len(labels) < 2:
            raise ConfigError(
                f"pretraining: supervised: the training videos of data set {config.data.bound_name!r} have "
                f"{len(labels) or 'no'} classes; take a labelled set with two or more"
            )
        share = config.supervised.label_fraction
        readable = list(label_subset(readable, share, config.training.seed))
        part = "" if share == 1 else f", of which supervised.label_fraction {share:g} leaves these"
    if config.training.batch_size > len(readable):
        raise ConfigError(
            f"training.batch_size {config.training.batch_size} is larger than the set: {len(readable)} readable "
            f"training videos in data set {config.data.bound_name!r}{part}; lower it to {len(readable)} or less"
        )
