"""All evaluations of one backbone: features extracted once for those that share them, protocols on rank 0."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from raysl.config.evaluation import EvaluationConfig
from raysl.config.identity import evaluation_id, resolved
from raysl.config.sections import ClipOptions
from raysl.data.manifest_types import Manifest
from raysl.data.source import VideoSource
from raysl.errors import ConfigError, RayslError, StorageError
from raysl.evaluation.agreement import on_every_rank, on_first_rank
from raysl.evaluation.feature_options import FeatureOptions
from raysl.evaluation.features import Precision, extract_features
from raysl.evaluation.protocol import EvaluationResult, FeatureProtocol, Features
from raysl.models.backbone import Backbone

OpenSource = Callable[[EvaluationConfig], VideoSource]
OnResult = Callable[[EvaluationConfig, EvaluationResult, Manifest], None]
OnFailure = Callable[[EvaluationConfig, RayslError], None]


@dataclass(frozen=True)
class _Extracted:
    """Both splits' features, and what is to be recorded about them."""

    train: Features
    test: Features
    classes: tuple[str, ...]
    manifest: Manifest
    details: dict[str, object]


def evaluate(
    backbone: Backbone,
    evaluations: Sequence[EvaluationConfig],
    clip: ClipOptions,
    open_source: OpenSource,
    *,
    seed: int,
    device: torch.device,
    precision: Precision = "float32",
    batch_clips: int = 40,
    on_result: OnResult | None = None,
    on_failure: OnFailure | None = None,
) -> dict[str, EvaluationResult]:
    """Results by label, in the order of ``evaluations``, the same on every rank.

    Called by all ranks of a process group, or by one process without a group. An evaluation that fails does not keep
    the others from being computed: they reach ``on_result``, and the first failure is raised at the end.

    Args:
        backbone: on ``device``; left as it was found.
        clip: what the backbone was trained on.
        open_source: the data of an evaluation, on this node; called once for evaluations on the same data.
        precision: of the backbone's forward pass.
        on_result: called on rank 0 with each result as soon as there is one: the place to store it.
        on_failure: called on rank 0 with each evaluation that failed, and why.

    Raises:
        ConfigError: two evaluations with one label, or a protocol whose options do not extend FeatureOptions.
        DataError, CellFailure: what an evaluation met, on every rank.
        StorageError: from ``on_result``, on every rank and at once.
    """
    _check(evaluations)
    results: dict[str, EvaluationResult] = {}
    failures: list[RayslError] = []

    def fail(failed: Sequence[EvaluationConfig], error: RayslError) -> None:
        if isinstance(error, StorageError):
            raise error
        failures.append(error)
        if on_failure is not None:
            on_first_rank(lambda: [on_failure(evaluation, error) for evaluation in failed])

    for group in _sharing(evaluations):
        try:
            extracted = _extract(backbone, group[0], clip, open_source, device, precision, batch_clips)
        except RayslError as error:
            fail(group, error)
            continue
        for evaluation in group:
            try:
                results[evaluation.label] = on_first_rank(_measuring(evaluation, extracted, seed, on_result))
            except RayslError as error:
                fail([evaluation], error)
    if failures:
        raise failures[0]
    return {evaluation.label: results[evaluation.label] for evaluation in evaluations}


def record(result: EvaluationResult, evaluation: EvaluationConfig, manifest: Manifest) -> dict[str, Any]:
    """What the results store keeps of an evaluation beside its predictions: plain JSON values.

    Raises:
        ValueError, TypeError: a protocol put something into its details that JSON cannot hold.
    """
    kept = {
        "id": evaluation_id(evaluation),
        "label": evaluation.label,
        "evaluation": resolved(evaluation),
        "versions": {
            "protocol": evaluation.protocol.component.version,
            "data": evaluation.data.component.version,
        },
        "manifest": manifest.hash,
        "headline": next(iter(result.metrics)),
        "metrics": result.metrics,
        "n_test": len(result.predictions),
        "details": result.details,
    }
    plain: dict[str, Any] = json.loads(json.dumps(kept, allow_nan=False))
    return plain


def _feature_options(evaluation: EvaluationConfig) -> FeatureOptions:
    options = evaluation.protocol.options
    if not isinstance(options, FeatureOptions):
        raise ConfigError(
            f"evaluation {evaluation.label}: the options of protocol {evaluation.protocol.name!r} must extend "
            "raysl.evaluation.feature_options.FeatureOptions"
        )
    return options


def _check(evaluations: Sequence[EvaluationConfig]) -> None:
    labels = [evaluation.label for evaluation in evaluations]
    for evaluation in evaluations:
        _feature_options(evaluation)
        if labels.count(evaluation.label) > 1:
            raise ConfigError(f"two evaluations have the label {evaluation.label!r}: give each its own")


def _sharing(evaluations: Sequence[EvaluationConfig]) -> Iterator[list[EvaluationConfig]]:
    """Groups that need the same features: one data set with the same options, and the same number of clips."""
    groups: dict[tuple[str, str, int], list[EvaluationConfig]] = {}
    for evaluation in evaluations:
        data = evaluation.data
        key = (data.name, json.dumps(resolved(data.options), sort_keys=True), _feature_options(evaluation).clips)
        groups.setdefault(key, []).append(evaluation)
    yield from groups.values()


def _extract(
    backbone: Backbone,
    evaluation: EvaluationConfig,
    clip: ClipOptions,
    open_source: OpenSource,
    device: torch.device,
    precision: Precision,
    batch_clips: int,
) -> _Extracted:
    source = on_every_rank(lambda: open_source(evaluation))
    clips = _feature_options(evaluation).clips
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
        **_left_out(source, {"train": train, "test": test}),
    }
    return _Extracted(train, test, source.catalog.classes, source.manifest, details)


def _left_out(source: VideoSource, features: dict[str, Features]) -> dict[str, object]:
    """What the catalog lists and the evaluation does not use, by split and reason."""
    unreadable = source.manifest.unreadable()
    listed = {split: source.catalog.split(split) for split in features}
    return {
        "unreadable": {
            split: {video.path: unreadable[video.path] for video in videos if video.path in unreadable}
            for split, videos in listed.items()
        },
        "unlabelled": {split: sum(video.label is None for video in videos) for split, videos in listed.items()},
        "missing": len(source.catalog.missing),
    }


def _measuring(
    evaluation: EvaluationConfig, extracted: _Extracted, seed: int, on_result: OnResult | None
) -> Callable[[], EvaluationResult]:
    def measure() -> EvaluationResult:
        protocol: FeatureProtocol = evaluation.protocol.build()
        started = time.perf_counter()
        result = protocol.evaluate(extracted.train, extracted.test, extracted.classes, seed)
        seconds: dict[str, object] = {"seconds_protocol": time.perf_counter() - started}
        result = replace(result, details={**result.details, **extracted.details, **seconds})
        if on_result is not None:
            on_result(evaluation, result, extracted.manifest)
        return result

    return measure
