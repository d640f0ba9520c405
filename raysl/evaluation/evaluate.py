"""All evaluations of one cell: on features (extracted once for all that share them), on clips, on the whole network."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from raysl.config.cell import CellConfig
from raysl.config.evaluation import EvaluationConfig
from raysl.config.identity import evaluation_id, resolved
from raysl.config.sections import ClipOptions
from raysl.data.places import NOTHING
from raysl.data.snapshot import Snapshot, data_key, data_record
from raysl.data.source import VideoSource
from raysl.distributed import on_every_rank, on_first_rank
from raysl.errors import ConfigError, DataError, LeftError, NodeFault, RayslError, StorageError
from raysl.evaluation.clip_loading import loader_workers
from raysl.evaluation.feature_protocol import FeatureOptions
from raysl.evaluation.over_videos import Precision
from raysl.evaluation.protocol import EvaluationResult, LoadNetwork, Protocol, Task
from raysl.models.backbone import Backbone

OpenSource = Callable[[EvaluationConfig], VideoSource]
OnResult = Callable[[str, EvaluationResult, Snapshot], None]
OnFailure = Callable[[str, RayslError], None]
READS = ("features", "clips", "network")
"""What protocols read, in the order of evaluation."""


def evaluate(
    backbone: Backbone,
    evaluations: Mapping[str, EvaluationConfig],
    clip: ClipOptions,
    open_source: OpenSource,
    *,
    seed: int,
    device: torch.device,
    precision: Precision = "float32",
    batch_clips: int = 40,
    cell: CellConfig | None = None,
    network: LoadNetwork | None = None,
    files: Mapping[str, Path] = NOTHING,
    on_result: OnResult | None = None,
    on_failure: OnFailure | None = None,
) -> dict[str, EvaluationResult]:
    """Results by the names of ``evaluations``, in their order, the same on every rank.

    Called by all ranks of a process group, or by one process without a group. If an evaluation fails, the others are
    still computed and passed to ``on_result``; the first failure is raised at the end.

    Args:
        backbone: on ``device``; left as it was found.
        evaluations: by unique names: labels, or names in a store.
        clip: that of the backbone's training.
        open_source: the data of an evaluation, on this node; called once for evaluations on the same data.
        precision: of the backbone's forward pass.
        cell: of the backbone's training; needed only for evaluations of the whole network.
        network: called once, if evaluations read it; its network is moved to ``device``.
        files: from the name of a file to the file, for protocols that read one.
        on_result: called on rank 0 with each result as soon as it is there, to store it.
        on_failure: called on rank 0 with each evaluation that failed, and why: a `NodeFault` if this machine could not
            do it now, any other error if the evaluation itself cannot be done.

    Raises:
        ConfigError: what a component builds is not a protocol.
        ValueError: an evaluation reads the whole network, and none was passed; or it trains one, which is another cell.
        DataError, CellFailure, NodeFault: raised by an evaluation, on every rank.
        StorageError: from ``on_result``, on every rank and at once.
    """
    protocols = {name: _protocol(one) for name, one in evaluations.items()}
    told, known, sources = _Outcomes(on_result, on_failure), dict[Hashable, Any](), dict[str, VideoSource]()
    for name in sorted(protocols, key=lambda name: READS.index(protocols[name].reads)):
        with told.failures_of([name]):
            key = data_key(evaluations[name].data)
            if key not in sources:
                sources[key] = on_every_rank(partial(_opened, open_source, evaluations[name]))
            source = sources[key]
            label, options = evaluations[name].label, evaluations[name].protocol.options
            task = Task(
                backbone,
                source,
                clip,
                seed,
                device,
                precision,
                batch_clips,
                cell,
                network,
                label,
                options,
                files,
                known,
            )
            with loader_workers("auto" if cell is None else cell.training.loader_workers):
                result = _recorded(evaluations[name], protocols[name], task)
            told.result(name, result, source.snapshot)
    if told.failures:
        raise told.failures[0]
    return {name: told.results[name] for name in evaluations}


def _opened(open_source: OpenSource, evaluation: EvaluationConfig) -> VideoSource:
    """The data; if it is absent, this is no failure of the evaluation."""
    try:
        return open_source(evaluation)
    except DataError as error:
        raise NodeFault(str(error)) from error


@dataclass
class _Outcomes:
    """Passes results and failures on from rank 0, and keeps both on every rank."""

    on_result: OnResult | None
    on_failure: OnFailure | None
    results: dict[str, EvaluationResult] = field(default_factory=dict)
    failures: list[RayslError] = field(default_factory=list)

    def result(self, name: str, result: EvaluationResult, snapshot: Snapshot) -> None:
        if self.on_result is not None:
            on_first_rank(partial(self.on_result, name, result, snapshot))
        self.results[name] = result

    @contextmanager
    def failures_of(self, names: Sequence[str]) -> Iterator[None]:
        """An error in its body fails these; a store that cannot be written, or a run's end, ends everything."""
        try:
            yield
        except (StorageError, LeftError):
            raise
        except RayslError as error:
            self.failures.append(error)
            if self.on_failure is not None:
                on_first_rank(partial(_call_each, self.on_failure, names, error))


def _call_each(on_failure: OnFailure, names: Sequence[str], error: RayslError) -> None:
    for name in names:
        on_failure(name, error)


def record(result: EvaluationResult, evaluation: EvaluationConfig, snapshot: Snapshot) -> dict[str, Any]:
    """What the results store keeps of an evaluation besides its predictions: plain JSON values.

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
        "data": data_record(evaluation.data, snapshot),
        "headline": next(iter(result.metrics)),
        "metrics": result.metrics,
        "n_test": len(result.predictions),
        "details": result.details,
    }
    plain: dict[str, Any] = json.loads(json.dumps(kept, allow_nan=False))
    return plain


def reads_network(evaluation: EvaluationConfig) -> bool:
    """Whether the protocol reads the cell's whole network; all ranks then test it together."""
    return _protocol(evaluation).reads == "network"


def _protocol(evaluation: EvaluationConfig) -> Protocol:
    """The protocol of an evaluation.

    Raises:
        ConfigError: what the component builds is not a protocol.
        ValueError: it trains another cell.
    """
    if evaluation.protocol.component.downstream is not None:
        raise ValueError(f"evaluation {evaluation.label} trains another cell, and is made on that")
    found = evaluation.protocol.build()
    if not isinstance(found, Protocol):
        raise ConfigError(
            f"evaluation {evaluation.label}: what {evaluation.protocol.name!r} builds, {type(found).__name__}, "
            "must extend raysl.evaluation.protocol.Protocol"
        )
    if found.reads == "features" and not isinstance(evaluation.protocol.options, FeatureOptions):
        raise ConfigError(
            f"evaluation {evaluation.label}: the options of protocol {evaluation.protocol.name!r}, which reads "
            "features, must extend raysl.evaluation.feature_protocol.FeatureOptions"
        )
    return found


def _recorded(evaluation: EvaluationConfig, protocol: Protocol, task: Task) -> EvaluationResult:
    """The protocol's result, with the details that are recorded for every evaluation."""
    started = time.perf_counter()
    result = protocol.evaluate(task)
    clips = getattr(evaluation.protocol.options, "clips", None)
    details = {
        **({} if clips is None else {"clips_per_video": clips}),
        "precision": task.precision,
        **left_out(task.source),
        "seconds_protocol": time.perf_counter() - started,
    }
    return replace(result, details={**details, **result.details})


def left_out(source: VideoSource) -> dict[str, object]:
    """Number of videos that the catalog lists and the evaluation does not use, by split and reason."""
    unreadable = source.manifest.unreadable()
    listed = {split: source.catalog.split(split) for split in ("train", "test")}
    return {
        "unreadable": {
            split: {video.path: unreadable[video.path] for video in videos if video.path in unreadable}
            for split, videos in listed.items()
        },
        # If people have boxes, videos have no labels, and none is left out for that.
        "unlabelled": {
            split: 0 if source.catalog.annotated else sum(video.label is None for video in videos)
            for split, videos in listed.items()
        },
        "missing": len(source.catalog.missing),
    }
