"""Evaluations on frozen features: extracted once for all that share them, then measured."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from raysl.config.evaluation import EvaluationConfig
from raysl.config.sections import ClipOptions
from raysl.data.snapshot import data_key
from raysl.data.source import VideoSource
from raysl.errors import ConfigError
from raysl.evaluation.feature_options import FeatureOptions
from raysl.evaluation.features import extract_features
from raysl.evaluation.over_videos import Precision
from raysl.evaluation.protocol import EvaluationResult, FeatureProtocol, Features
from raysl.models.backbone import Backbone


@dataclass(frozen=True)
class Extracted:
    """Both splits' features, and what is to be recorded about them."""

    train: Features
    test: Features
    classes: tuple[str, ...]
    details: dict[str, object]


def feature_options(evaluation: EvaluationConfig) -> FeatureOptions:
    """The protocol's options.

    Raises:
        ConfigError: they do not extend FeatureOptions.
    """
    options = evaluation.protocol.options
    if not isinstance(options, FeatureOptions):
        raise ConfigError(
            f"evaluation {evaluation.label}: the options of protocol {evaluation.protocol.name!r} must extend "
            "raysl.evaluation.feature_options.FeatureOptions, raysl.evaluation.per_clip_protocol.PerClipOptions or "
            "raysl.evaluation.network_protocol.NetworkOptions"
        )
    return options


def sharing(evaluations: Mapping[str, EvaluationConfig]) -> list[list[str]]:
    """Names of evaluations that need the same features: one data set, and the same number of clips."""
    groups: dict[tuple[str, int], list[str]] = {}
    for name, evaluation in evaluations.items():
        groups.setdefault((data_key(evaluation.data), feature_options(evaluation).clips), []).append(name)
    return list(groups.values())


def extract(
    backbone: Backbone,
    evaluation: EvaluationConfig,
    clip: ClipOptions,
    source: VideoSource,
    device: torch.device,
    precision: Precision,
    batch_clips: int,
) -> Extracted:
    """The features of both splits. Collective.

    Raises:
        DataError: on every rank; see `extract_features`.
    """
    clips = feature_options(evaluation).clips
    started = time.perf_counter()
    train, test = (
        extract_features(
            backbone, source, split, clip, clips, batch_clips=batch_clips, device=device, precision=precision
        )
        for split in ("train", "test")
    )
    details = {
        "clips_per_video": clips,
        "precision": precision,
        "seconds_features": time.perf_counter() - started,
        **left_out(source),
    }
    return Extracted(train, test, source.catalog.classes, details)


def measure(evaluation: EvaluationConfig, extracted: Extracted, seed: int) -> EvaluationResult:
    """What the protocol gives, with what is to be recorded of the features. For one rank."""
    protocol: FeatureProtocol = evaluation.protocol.build()
    started = time.perf_counter()
    result = protocol.evaluate(extracted.train, extracted.test, extracted.classes, seed)
    seconds: dict[str, object] = {"seconds_protocol": time.perf_counter() - started}
    return replace(result, details={**result.details, **extracted.details, **seconds})


def left_out(source: VideoSource) -> dict[str, object]:
    """What the catalog lists and the evaluation does not use, by split and reason."""
    unreadable = source.manifest.unreadable()
    listed = {split: source.catalog.split(split) for split in ("train", "test")}
    return {
        "unreadable": {
            split: {video.path: unreadable[video.path] for video in videos if video.path in unreadable}
            for split, videos in listed.items()
        },
        "unlabelled": {split: sum(video.label is None for video in videos) for split, videos in listed.items()},
        "missing": len(source.catalog.missing),
    }
