"""Evaluations on frozen features: extracted once for all that share them, then measured."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from pydantic import ValidationError

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


Reading = tuple[object, ...]
"""All that decides the features of a split beside backbone and data."""


def reading(options: FeatureOptions, split: str) -> Reading:
    """Equal for options that make the same features of a split."""
    clip = tuple(options.clip.model_dump().values())
    return split, options.clips_of(split), options.crops, clip, options.pool, options.normalize_clips


def sharing(evaluations: Mapping[str, EvaluationConfig]) -> list[list[str]]:
    """Names of evaluations that need the same features of both splits of one data set."""
    groups: dict[tuple[object, ...], list[str]] = {}
    for name, evaluation in evaluations.items():
        options = feature_options(evaluation)
        key = (data_key(evaluation.data), reading(options, "train"), reading(options, "test"))
        groups.setdefault(key, []).append(name)
    return list(groups.values())


def extract(
    backbone: Backbone,
    evaluation: EvaluationConfig,
    clip: ClipOptions,
    source: VideoSource,
    device: torch.device,
    precision: Precision,
    batch_clips: int,
    known: dict[tuple[str, Reading], Features] | None = None,
) -> Extracted:
    """The features of both splits. Collective.

    Args:
        known: features of this backbone, by data set and `reading`; what is extracted is added.

    Raises:
        DataError: on every rank; see `extract_features`.
        ConfigError: the clip that is asked for does not fit.
    """
    options, known = feature_options(evaluation), {} if known is None else known
    started, found = time.perf_counter(), list[Features]()
    try:
        changed = options.clip.of(clip)
    except ValidationError as error:
        raise ConfigError(
            f"evaluation {evaluation.label}: {error.errors()[0]['msg'].removeprefix('Value error, ')}"
        ) from error
    for split in ("train", "test"):
        key = data_key(evaluation.data), reading(options, split)
        if key not in known:
            known[key] = extract_features(
                backbone,
                source,
                split,
                changed,
                options.clips_of(split),
                batch_clips=batch_clips,
                device=device,
                precision=precision,
                crops=options.crops,
                space=options.pool == "space",
                normalize=options.normalize_clips,
            )
        found.append(known[key])
    details = {
        "clips_per_video": options.clips,
        "precision": precision,
        "seconds_features": time.perf_counter() - started,
        **left_out(source),
    }
    return Extracted(found[0], found[1], source.catalog.classes, details)


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
