"""Protocols on features of whole videos: how a frozen backbone's features are extracted, shared and measured."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import ValidationError

from raysl.config.evaluation import EvaluationConfig
from raysl.config.options import option
from raysl.data.snapshot import data_key
from raysl.errors import ConfigError, RayslError
from raysl.evaluation.clip_options import ReadOptions
from raysl.evaluation.protocol import (
    EvaluationResult,
    Features,
    LabelledVideos,
    Protocol,
    Task,
    check_finite,
    check_videos,
    coverage,
)

if TYPE_CHECKING:
    from torch import nn


class FeatureOptions(ReadOptions):
    """How the features of a video are made; evaluations with the same values share one extraction.

    ``version`` here enters the id of every evaluation on features: raise it when extraction computes something else.
    """

    clips: int = option(
        5,
        doc="clips of a video whose features are averaged, spread evenly over its length",
        unit="clips",
        source="printed: SSTL 5; TaCo, TCLR, CSTP 10",
        ge=1,
        le=100,
    )
    train_clips: int | None = option(
        None,
        doc="clips of a training video, which a probe learns on and retrieval searches; null: as many as of a test "
        "video",
        unit="clips",
        source="ours; printed: TCLR Figures 7, 11, 12 vary those of test videos alone",
        ge=1,
        le=100,
    )
    pool: Literal["all", "space"] = option(
        "all",
        doc="what of a feature map is averaged: all of it; space alone, so that the timesteps stand side by side in a "
        "feature of channels * timesteps",
        source="ours; printed: TCLR retrieval: space",
    )
    normalize_clips: bool = option(
        False, doc="a clip's feature is brought to unit length before the mean over clips", source="printed: CSTP: on"
    )

    @property
    def each_clip(self) -> bool:
        """Whether each clip has a feature, instead of a mean over the clips of its video."""
        return False

    @property
    def projected(self) -> bool:
        """Whether the projector's output is read, instead of the backbone's."""
        return False

    def clips_of(self, split: str) -> int:
        """Clips of a video of this split."""
        return self.clips if split == "test" or self.train_clips is None else self.train_clips


NO_PROJECTOR = (
    "features: projection needs a cell that trains a projector, and this one has none: set features: backbone"
)

Reading = tuple[object, ...]
"""All that determines the features of a split, except backbone and data."""


def reading(options: FeatureOptions, split: str) -> Reading:
    """Equal for options that make the same features of a split."""
    clip = tuple(options.clip.model_dump().values())
    how = options.pool, options.normalize_clips, options.each_clip, options.projected
    return split, options.clips_of(split), options.crops, clip, *how


def sharing(evaluations: Mapping[str, EvaluationConfig]) -> list[list[str]]:
    """Names of evaluations that need the same features of both splits of one data set."""
    groups: dict[tuple[object, ...], list[str]] = {}
    for name, evaluation in evaluations.items():
        options = evaluation.protocol.options
        key = (data_key(evaluation.data), reading(options, "train"), reading(options, "test"))
        groups.setdefault(key, []).append(name)
    return list(groups.values())


class FeatureProtocol(Protocol):
    """Base of protocols on frozen features; their options extend ``FeatureOptions``.

    `on_features` is pure: no model, no ranks; the same features and seed give the same result.
    """

    reads: Literal["features", "clips", "network"] = "features"

    def evaluate(self, task: Task) -> EvaluationResult:
        from raysl.distributed import on_first_rank

        started = time.perf_counter()
        train, test = (self.features(task, split) for split in ("train", "test"))
        extracted, classes = time.perf_counter(), task.source.catalog.classes
        result = on_first_rank(lambda: self.on_features(train, test, classes, task.seed))
        seconds = {"seconds_features": extracted - started, "seconds_protocol": time.perf_counter() - extracted}
        return replace(result, details={**result.details, **seconds})

    def features(self, task: Task, split: str) -> Features:
        """Features of one split, extracted unless another evaluation of the cell has read the same. Collective."""
        from raysl.evaluation.features import extract_features

        options: FeatureOptions = task.options
        key = reading(options, split), task.source.catalog.name, task.source.snapshot.hashes.evaluated
        try:
            clip = options.clip.of(task.clip)
        except ValidationError as error:
            said = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise ConfigError(f"evaluation {task.label}: {said}") from error
        if key not in task.known:
            try:
                task.known[key] = extract_features(
                    task.backbone,
                    task.source,
                    split,
                    clip,
                    options.clips_of(split),
                    batch_clips=task.batch_clips,
                    device=task.device,
                    precision=task.precision,
                    crops=options.crops,
                    space=options.pool == "space",
                    normalize=options.normalize_clips,
                    projector=_projector(task) if options.projected else None,
                    each_clip=options.each_clip,
                )
            except RayslError as error:  # it would fail again, after as long, for the others that read the same
                task.known[key] = error
        found: Features | RayslError = task.known[key]
        if isinstance(found, RayslError):
            raise found
        return found

    def on_features(self, train: Features, test: Features, classes: tuple[str, ...], seed: int) -> EvaluationResult:
        """Learns on ``train`` only, measures on ``test``; neither is changed.

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
        covered = coverage(one_row_each(train), one_row_each(test), classes)
        return replace(result, details={**covered, **result.details})

    @abstractmethod
    def measure(self, train: Features, test: Features, classes: tuple[str, ...], seed: int) -> EvaluationResult:
        """``evaluate`` on inputs that have been checked; what each protocol implements."""


def one_row_each(features: Features) -> LabelledVideos:
    """The videos of features, which may have a row for each clip."""
    return features.rows(np.unique(features.video, return_index=True)[1].astype(np.int64))


def _projector(task: Task) -> nn.Module | None:
    """The projector of the cell's network; None if nothing of it is trained. Collective.

    Raises:
        ConfigError: the network has none.
    """
    if task.cell is not None and task.cell.pretraining == "none":
        return None
    network = task.network()[1]
    if network.projector is None:
        raise ConfigError(f"evaluation {task.label}: {NO_PROJECTOR}")
    return network.projector
