"""Fine-tuning: all layers and a new classifier are trained on the labels, from the cell's backbone.

Of a cell without pretraining this is training from scratch. The network that is tested is the last one: the released
codes of TCLR and CSTP keep the best of all epochs on the test list, which measures less.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from raysl.config.cell import CellConfig
from raysl.config.component import Chosen, Component
from raysl.config.sections import ClipOptions
from raysl.distributed import world_size
from raysl.errors import ConfigError
from raysl.evaluation.against_data import LabelledSplits
from raysl.evaluation.classification import METRICS, NEEDS_CLASSES, classification
from raysl.evaluation.features import labelled_videos
from raysl.evaluation.fine_tuning import FineTuned, FineTuning
from raysl.evaluation.finetune_options import FinetuneOptions, supervised_cell
from raysl.evaluation.label_subset import label_subset
from raysl.evaluation.over_videos import over_videos
from raysl.evaluation.protocol import EvaluationResult, LabelledVideos, check_finite, check_videos, coverage
from raysl.evaluation.trained_protocol import TrainedProtocol, TrainingTask
from raysl.evaluation.workload import Workload
from raysl.training.check_cell import check_on_lengths
from raysl.training.schedules.constant import ConstantOptions


class Finetune(TrainedProtocol):
    """See the module. Metrics and predictions are those of `classification`."""

    def __init__(self, options: FinetuneOptions) -> None:
        self.options = options

    def evaluate(self, task: TrainingTask) -> EvaluationResult:
        options, source = self.options, task.source
        cell, clip = supervised_cell(options, task.cell, task.data), options.test_clip(task.cell)
        train = label_subset(labelled_videos(source, "train"), options.label_fraction, cell.training.seed)
        test = LabelledVideos.of(labelled_videos(source, "test"))
        check_videos(LabelledVideos.of(train), test, source.catalog.classes)
        _check_batch(options, len(train))
        started = time.perf_counter()
        training = FineTuning(
            cell,
            task.backbone,
            source,
            [video.index for video in train],
            device=task.device,
            precision=task.precision,
            frozen_statistics=options.batch_norm == "eval",
        )
        tuned = training.run(task.on_progress)
        minutes = (time.perf_counter() - started) / 60
        result = classification(
            self._probabilities(task, clip, tuned, test),
            np.arange(len(source.catalog.classes)),
            test,
            source.catalog.classes,
        )
        counts = coverage(LabelledVideos.of(train), test, source.catalog.classes)
        return replace(
            result, details={**counts, **_details(tuned, cell, clip), "minutes_training": minutes, **result.details}
        )

    def _probabilities(
        self, task: TrainingTask, clip: ClipOptions, tuned: FineTuned, test: LabelledVideos
    ) -> NDArray[np.float64]:
        """``[N, classes]``, averaged over the clips of each test video as ``average`` says."""

        def scores(clips: Tensor) -> Tensor:
            logits = tuned.logits(clips)
            return logits.softmax(dim=1) if self.options.average == "softmax" else logits

        values = over_videos(
            scores,
            tuned.objective,
            task.source,
            [task.source.catalog.videos[index] for index in test.video.tolist()],
            clip,
            self.options.clips,
            batch_clips=task.batch_clips,
            device=task.device,
            precision=task.precision,
        )
        check_finite("test", test.path, values, what="scores")
        exact = values.astype(np.float64)
        if self.options.average == "logits":
            exact = np.exp(exact - exact.max(axis=1, keepdims=True))
        return np.asarray(exact / exact.sum(axis=1, keepdims=True), dtype=np.float64)


def _check_data(options: FinetuneOptions, cell: CellConfig, splits: LabelledSplits) -> None:
    tuned = supervised_cell(options, cell, cell.data)
    train = label_subset(splits.train, options.label_fraction, tuned.training.seed)
    _check_size(options, len(train))
    check_on_lengths(tuned, [splits.lengths[video.index] for video in train])


def _workload(options: FinetuneOptions, cell: CellConfig, data: Chosen, splits: LabelledSplits) -> Workload:
    training = supervised_cell(options, cell, data)
    videos = label_subset(splits.train, options.label_fraction, training.training.seed)
    return Workload(len(splits.test), options.clips, options.test_clip(cell), False, training, len(videos))


def _on_few(options: FinetuneOptions, videos: int) -> FinetuneOptions:
    """One epoch at the base rate."""
    schedule = Chosen("schedule", "constant", ConstantOptions())
    few = {"epochs": 1, "batch_size": min(options.batch_size, videos), "label_fraction": 1.0, "schedule": schedule}
    return options.model_copy(update=few)


def _check_size(options: FinetuneOptions, videos: int) -> None:
    if options.batch_size > videos:
        share = "" if options.label_fraction == 1 else f" (label_fraction {options.label_fraction:g})"
        raise ConfigError(
            f"finetune: batch_size {options.batch_size} is larger than the set: {videos} labelled training videos"
            f"{share}; lower it to {videos} or less"
        )


def _check_batch(options: FinetuneOptions, videos: int) -> None:
    _check_size(options, videos)
    if options.batch_size % world_size():
        raise ConfigError(f"finetune: batch_size {options.batch_size} does not divide by {world_size()} workers")


def _check(options: FinetuneOptions, cell: CellConfig) -> None:
    supervised_cell(options, cell, cell.data)
    if options.batch_size % cell.training.workers:
        raise ConfigError(
            f"finetune: batch_size {options.batch_size} does not divide by training.workers "
            f"{cell.training.workers}, which fine-tune too"
        )


def _details(tuned: FineTuned, cell: CellConfig, clip: ClipOptions) -> dict[str, object]:
    return {
        "epochs": tuned.length.epochs,
        "steps": tuned.length.steps,
        "batch_size": cell.training.batch_size,
        "learning_rate": tuned.learning_rate,
        "final_train_loss": tuned.losses[-1],
        "train_loss": list(tuned.losses),
        "train_accuracy": list(tuned.accuracies),
        "clip": clip.model_dump(),
    }


COMPONENT = Component(
    kind="protocol",
    options=FinetuneOptions,
    build=Finetune,
    check=_check,
    check_data=_check_data,
    on_few=_on_few,
    workload=_workload,
    metrics=lambda options: METRICS,
    needs_classes=NEEDS_CLASSES,
)
