"""All evaluations of one backbone: on features extracted once for those that share them, on clips, by training."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch

from raysl.config.cell import CellConfig
from raysl.config.evaluation import EvaluationConfig
from raysl.config.identity import evaluation_id, resolved
from raysl.config.sections import ClipOptions
from raysl.data.manifest_types import Manifest
from raysl.data.source import VideoSource
from raysl.errors import ConfigError, RayslError, StorageError
from raysl.evaluation.agreement import on_every_rank, on_first_rank
from raysl.evaluation.on_features import extract, feature_options, left_out, measure, sharing
from raysl.evaluation.over_videos import Precision
from raysl.evaluation.per_clip_protocol import PerClipOptions, PerClipProtocol, PerClipTask
from raysl.evaluation.protocol import EvaluationResult
from raysl.evaluation.trained_options import TrainedOptions
from raysl.evaluation.trained_protocol import TrainedProtocol, TrainingTask
from raysl.models.backbone import Backbone
from raysl.training.progress import Progress

OpenSource = Callable[[EvaluationConfig], VideoSource]
OnResult = Callable[[EvaluationConfig, EvaluationResult, Manifest], None]
OnFailure = Callable[[EvaluationConfig, RayslError], None]
OnProgress = Callable[[EvaluationConfig, Progress], None]


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
    cell: CellConfig | None = None,
    on_result: OnResult | None = None,
    on_failure: OnFailure | None = None,
    on_progress: OnProgress | None = None,
) -> dict[str, EvaluationResult]:
    """Results by label, in the order of ``evaluations``, the same on every rank.

    Called by all ranks of a process group, or by one process without a group. An evaluation that fails does not keep
    the others from being computed: they reach ``on_result``, and the first failure is raised at the end.

    Args:
        backbone: on ``device``; left as it was found.
        clip: what the backbone was trained on.
        open_source: the data of an evaluation, on this node; called once for evaluations on the same data.
        precision: of the backbone's forward pass.
        cell: that the backbone was pretrained as; only evaluations that train read it, and need it.
        on_result: called on rank 0 with each result as soon as there is one: the place to store it.
        on_failure: called on rank 0 with each evaluation that failed, and why.
        on_progress: called on every rank at the same steps of an evaluation that trains.

    Raises:
        ConfigError: two evaluations with one label, or a protocol whose options extend none of FeatureOptions,
            PerClipOptions and TrainedOptions.
        ValueError: an evaluation trains, and no cell was given.
        DataError, CellFailure: what an evaluation met, on every rank.
        StorageError: from ``on_result``, on every rank and at once.
    """
    _check(evaluations, cell)
    told = _Told(on_result, on_failure)
    for group in sharing([one for one in evaluations if not trains(one) and not reads_clips(one)]):
        with told.failures_of(group):
            source = on_every_rank(partial(open_source, group[0]))
            extracted = extract(backbone, group[0], clip, source, device, precision, batch_clips)
            for evaluation in group:
                with told.failures_of([evaluation]):
                    result = on_first_rank(partial(measure, evaluation, extracted, seed))
                    told.result(evaluation, result, source.manifest)
    for evaluation in (evaluation for evaluation in evaluations if reads_clips(evaluation)):
        with told.failures_of([evaluation]):
            source = on_every_rank(partial(open_source, evaluation))
            of_clips = PerClipTask(backbone, source, clip, seed, device, precision, batch_clips)
            told.result(evaluation, _read_clips(evaluation, of_clips), source.manifest)
    for evaluation in (evaluation for evaluation in evaluations if trains(evaluation)):
        assert cell is not None
        with told.failures_of([evaluation]):
            source = on_every_rank(partial(open_source, evaluation))
            tell = _nothing if on_progress is None else partial(on_progress, evaluation)
            task = TrainingTask(cell, backbone, evaluation.data, source, device, precision, batch_clips, tell)
            told.result(evaluation, _train(evaluation, task), source.manifest)
    if told.failures:
        raise told.failures[0]
    return {evaluation.label: told.results[evaluation.label] for evaluation in evaluations}


@dataclass
class _Told:
    """Hands results and failures on from rank 0, and keeps both on every rank."""

    on_result: OnResult | None
    on_failure: OnFailure | None
    results: dict[str, EvaluationResult] = field(default_factory=dict)
    failures: list[RayslError] = field(default_factory=list)

    def result(self, evaluation: EvaluationConfig, result: EvaluationResult, manifest: Manifest) -> None:
        if self.on_result is not None:
            on_first_rank(partial(self.on_result, evaluation, result, manifest))
        self.results[evaluation.label] = result

    @contextmanager
    def failures_of(self, evaluations: Sequence[EvaluationConfig]) -> Iterator[None]:
        """What fails inside is the failure of these; a store that cannot be written ends everything."""
        try:
            yield
        except StorageError:
            raise
        except RayslError as error:
            self.failures.append(error)
            if self.on_failure is not None:
                on_first_rank(partial(_tell_each, self.on_failure, evaluations, error))


def _tell_each(told: OnFailure, evaluations: Sequence[EvaluationConfig], error: RayslError) -> None:
    for evaluation in evaluations:
        told(evaluation, error)


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


def trains(evaluation: EvaluationConfig) -> bool:
    """Whether the protocol trains the network itself, on as many workers as its cell does."""
    return isinstance(evaluation.protocol.options, TrainedOptions)


def reads_clips(evaluation: EvaluationConfig) -> bool:
    """Whether the protocol reads the frozen backbone clip by clip, by itself."""
    return isinstance(evaluation.protocol.options, PerClipOptions)


def _check(evaluations: Sequence[EvaluationConfig], cell: CellConfig | None) -> None:
    labels = [evaluation.label for evaluation in evaluations]
    for evaluation in evaluations:
        if not trains(evaluation) and not reads_clips(evaluation):
            feature_options(evaluation)
        elif trains(evaluation) and cell is None:
            raise ValueError(f"evaluation {evaluation.label} trains: it needs the cell that its backbone is of")
        if labels.count(evaluation.label) > 1:
            raise ConfigError(f"two evaluations have the label {evaluation.label!r}: give each its own")


def _read_clips(evaluation: EvaluationConfig, task: PerClipTask) -> EvaluationResult:
    protocol: PerClipProtocol = evaluation.protocol.build()
    return _recorded(evaluation, task, lambda: protocol.evaluate(task))


def _train(evaluation: EvaluationConfig, task: TrainingTask) -> EvaluationResult:
    protocol: TrainedProtocol = evaluation.protocol.build()
    return _recorded(evaluation, task, lambda: protocol.evaluate(task))


def _recorded(
    evaluation: EvaluationConfig, task: PerClipTask | TrainingTask, run: Callable[[], EvaluationResult]
) -> EvaluationResult:
    """What ``run`` gives, with what is recorded of every evaluation."""
    started = time.perf_counter()
    result = run()
    details = {
        "clips_per_video": evaluation.protocol.options.clips,
        "precision": task.precision,
        **left_out(task.source),
        "seconds_protocol": time.perf_counter() - started,
    }
    return replace(result, details={**result.details, **details})


def _nothing(progress: Progress) -> None:
    """Told to nobody."""
