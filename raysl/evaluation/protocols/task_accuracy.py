"""Accuracy of a cell's own pretext tasks on held-out videos (as in TaCo's Figures 4, 6 and 7).

Each test video is used once, as in training: clips are placed, augmented and changed by draws that do not depend on the
cell's seed, so that all rows and seeds answer the same questions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from raysl.config.cell import CellConfig, chosen_terms
from raysl.config.component import Chosen, Component
from raysl.errors import ConfigError, NodeFault
from raysl.evaluation.against_data import LabelledSplits
from raysl.evaluation.network_protocol import NetworkOptions, NetworkProtocol
from raysl.evaluation.protocol import EvaluationResult, LabelledVideos, Task, percent, prediction_table
from raysl.evaluation.workload import Workload

if TYPE_CHECKING:
    from raysl.data.source import VideoSource
    from raysl.objectives.objective import Objective
    from raysl.views.batch import Batch

QUESTIONS_SEED = 0
"""The seed of all draws, for every cell."""


class TaskAccuracyOptions(NetworkOptions):
    """There are none."""


class TaskAccuracy(NetworkProtocol):
    """Metrics: ``accuracy``, the share of videos whose questions are all answered right; then ``NAME`` of each task,
    the share of its questions, and ``NAME_majority``, what always giving its commonest answer would get.
    """

    def __init__(self, options: TaskAccuracyOptions) -> None:
        self.options = options

    def evaluate(self, task: Task) -> EvaluationResult:
        from raysl.distributed import on_every_rank
        from raysl.evaluation.features import labelled_videos

        test = LabelledVideos.of(labelled_videos(task.source, "test"))
        cell, network, _ = task.network()
        given, answers = on_every_rank(lambda: self._asked(task, cell, network, test))
        right = {name: given[name] == answers[name] for name in given}
        correct = np.all(np.concatenate(list(right.values()), axis=1), axis=1)
        metrics = {"accuracy": percent(correct)}
        for name, hits in right.items():
            metrics[name] = percent(hits)
            metrics[f"{name}_majority"] = 100.0 * float(np.bincount(answers[name].ravel()).max() / answers[name].size)
        columns = {f"{name}_right": hits.mean(axis=1) for name, hits in right.items()}
        return EvaluationResult(metrics, prediction_table(test, correct, **columns), {"test_videos": len(test)})

    def _asked(
        self, task: Task, cell: CellConfig, network: Objective, test: LabelledVideos
    ) -> tuple[dict[str, NDArray[np.int64]], dict[str, NDArray[np.int64]]]:
        """By task, ``[N, questions of a video]``: the given and the right answers, in the order of ``test``."""
        import torch

        from raysl.objectives.tasks.pretext_task import ClassificationTask
        from raysl.training.precision import autocast

        names = _tasks(cell)
        given: dict[str, dict[int, list[int]]] = {name: {} for name in names}
        answers: dict[str, dict[int, list[int]]] = {name: {} for name in names}
        training = [module for module in network.modules() if module.training]
        network.eval()
        try:
            for video, batch in _questions(cell, task.source, network.view_names, test):
                with torch.inference_mode(), autocast(task.device, task.precision):
                    on_device = batch.to(task.device)
                    features = network.reduced(network.feature_maps(on_device))
                    for name in names:
                        term = network.term(name)
                        assert isinstance(term, ClassificationTask)
                        asked = term.questions(features[name], on_device)
                        given[name][video] = [int(logits.argmax(dim=1)) for logits, _ in asked]
                        answers[name][video] = [int(answer) for _, answer in asked]
        finally:
            for module in training:
                module.training = True
        return _ordered(given, test), _ordered(answers, test)


def _questions(
    cell: CellConfig, source: VideoSource, view_names: tuple[str, ...], test: LabelledVideos
) -> Iterator[tuple[int, Batch]]:
    """Each test video with its views, one after another."""
    from raysl.views.loader import PretrainingLoader

    alone = {"batch_size": 1, "seed": QUESTIONS_SEED, "accumulate": 1}
    asking = cell.model_copy(update={"training": cell.training.model_copy(update=alone)})
    videos = test.video.tolist()
    loader = PretrainingLoader(asking, source, view_names=view_names, rank=0, world_size=1, split="test", videos=videos)
    for batch in loader.epoch(0):
        if batch.unreadable:
            raise NodeFault(
                f"{source.catalog.name}: {batch.unreadable[0]} could be read earlier, and cannot be read "
                "now: restore the file",
                may_pass=True,
            )
        yield int(next(iter(batch.views.values())).video), batch


def _ordered(found: dict[str, dict[int, list[int]]], test: LabelledVideos) -> dict[str, NDArray[np.int64]]:
    return {
        name: np.array([own[video] for video in test.video.tolist()], dtype=np.int64) for name, own in found.items()
    }


def _tasks(cell: CellConfig) -> list[str]:
    """The pretext tasks of a cell that are measured; all of them must be classification tasks."""
    return [name for name in chosen_terms(cell.objective) if name in cell.objective.pretext]


def _check(options: TaskAccuracyOptions, cell: CellConfig) -> None:
    names = _tasks(cell) if cell.pretraining == "self_supervised" else []
    if not names:
        raise ConfigError("task_accuracy: the row has no supervised pretext task, so there is nothing to measure")
    for name in names:
        if cell.objective.pretext[name].component.estimates:
            raise ConfigError(f"task_accuracy: the task {name} has no accuracy: it estimates a number")


def _workload(options: TaskAccuracyOptions, cell: CellConfig, data: Chosen, splits: LabelledSplits) -> Workload:
    return Workload(len(splits.test), max(1, len(_tasks(cell))), cell.clip)


COMPONENT = Component(
    kind="protocol", options=TaskAccuracyOptions, build=TaskAccuracy, check=_check, workload=_workload
)
