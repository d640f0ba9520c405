"""An evaluation of a few videos, so that what would fail after the training fails before it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import torch

from raysl.config.cell import CellConfig
from raysl.config.evaluation import EvaluationConfig
from raysl.data.catalog import Video
from raysl.data.manifest_types import Manifest
from raysl.data.places import NOTHING
from raysl.data.source import VideoSource
from raysl.evaluation.against_data import LabelledSplits, check_against_data
from raysl.evaluation.evaluate import evaluate
from raysl.models.backbone import Backbone
from raysl.objectives.objective import Objective
from raysl.training.precision import choose_device, resolve_precision
from raysl.training.threads import cpu_threads
from raysl.views.training_videos import annotated_frames

CLASSES, TRAIN, TEST = 3, 4, 2
"""How many classes are tried, and how many videos of each."""


def try_evaluation(
    cell: CellConfig,
    evaluation: EvaluationConfig,
    backbone: Backbone,
    source: VideoSource,
    network: Objective | None = None,
    *,
    device: torch.device | str | None = None,
    files: Mapping[str, Path] = NOTHING,
) -> float:
    """Makes an evaluation on a few of its videos, after it was checked against all of them.

    Args:
        backbone: of the cell, however far it is trained.
        source: of the evaluation's whole data set.
        network: of the cell; None: nothing of it is trained.
        files: from the name of a file to the file, for a protocol that reads one.

    Returns:
        Seconds that it took.

    Raises:
        ConfigError: the data is not sufficient for the evaluation.
        DataError, CellFailure: raised by the evaluation.
    """
    check_against_data(cell, evaluation, source.snapshot)
    protocol = evaluation.protocol
    few = few_frames(source) if protocol.component.boxes else few_videos(source)
    if protocol.component.on_few is not None:
        train = len(few.catalog.split("train"))
        protocol = replace(protocol, options=protocol.component.on_few(protocol.options, train))
    chosen = choose_device(device)
    started = time.perf_counter()
    with cpu_threads(cell):
        evaluate(
            backbone.to(chosen),
            {evaluation.label: evaluation.model_copy(update={"protocol": protocol})},
            cell.clip,
            lambda _: few,
            seed=cell.training.seed,
            device=chosen,
            precision=resolve_precision(cell.training.precision, chosen),
            cell=cell,
            network=None if network is None else lambda: (network, source.catalog.classes),
            files=files,
        )
    return time.perf_counter() - started


def few_videos(source: VideoSource) -> VideoSource:
    """A few labelled videos of the classes with most groups, from each group in turn, the longest first."""
    splits = LabelledSplits.of(source.snapshot)
    train, test = _by_class(splits.train, splits.lengths), _by_class(splits.test, splits.lengths)
    both = sorted(train.keys() & test.keys(), key=lambda label: (-len({video.group for video in train[label]}), label))
    chosen = [video for label in both[:CLASSES] for video in (*train[label][:TRAIN], *test[label][:TEST])]
    kept = sorted(chosen, key=lambda video: video.index)
    catalog = replace(
        source.catalog, videos=tuple(replace(video, index=index) for index, video in enumerate(kept)), missing=()
    )
    manifest = Manifest(source.manifest.catalog, tuple(source.manifest.rows[video.index] for video in kept))
    return VideoSource(catalog, manifest, source.root, source.cache)


def few_frames(source: VideoSource) -> VideoSource:
    """The films unchanged, with a few annotated frames of each split."""
    annotated, chosen = source.catalog.annotated, list[int]()
    for split, most in (("train", TRAIN), ("test", TEST)):
        usable = [index for index in annotated_frames(source, split) if annotated[index].people]
        # Frames with detected boxes first: without boxes there is nothing to score.
        chosen += sorted(usable, key=lambda index: not annotated[index].detected)[: CLASSES * most]
    catalog = replace(source.catalog, annotated=tuple(annotated[index] for index in sorted(chosen)))
    return VideoSource(catalog, source.manifest, source.root, source.cache)


def _by_class(videos: Sequence[Video], lengths: Sequence[int]) -> dict[int, list[Video]]:
    """Each class's videos: the longest of every group, then the second longest, and so on."""
    groups: dict[int, dict[str | None, list[Video]]] = defaultdict(lambda: defaultdict(list))
    for video in sorted(videos, key=lambda video: (-lengths[video.index], video.index)):
        assert video.label is not None
        groups[video.label][video.group].append(video)
    return {
        label: [video for turn in zip_longest(*own.values()) for video in turn if video is not None]
        for label, own in groups.items()
    }
