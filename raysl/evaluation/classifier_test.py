"""Tests the classifier of a cell that was trained on labels, with scores averaged over each video's clips.

The network of the last epoch is tested. The released codes of TCLR and CSTP keep the epoch that is best on the test
list, which is no honest estimate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from raysl.config.sections import ClipOptions
from raysl.errors import ConfigError
from raysl.evaluation.classification import classification
from raysl.evaluation.classifier_options import ClassifierOptions
from raysl.evaluation.features import labelled_videos
from raysl.evaluation.network_protocol import NetworkProtocol
from raysl.evaluation.over_videos import over_videos
from raysl.evaluation.protocol import EvaluationResult, LabelledVideos, Task, check_finite, check_videos
from raysl.models.backbone import pool
from raysl.objectives.objective import Objective
from raysl.objectives.supervised import Supervised


class ClassifierTest(NetworkProtocol):
    """The test of a trained classifier. Metrics and predictions are those of `classification`."""

    def __init__(self, options: ClassifierOptions) -> None:
        self.options = options

    def evaluate(self, task: Task) -> EvaluationResult:
        cell, network, trained_on = task.network()
        classes = task.source.catalog.classes
        if classes != trained_on:
            raise ConfigError(
                f"the network learned {len(trained_on)} classes, and {task.source.catalog.name} has {len(classes)} "
                "with other names or in another order: test the network on the set that it was trained on"
            )
        train, test = (LabelledVideos.of(labelled_videos(task.source, split)) for split in ("train", "test"))
        check_videos(train, test, classes)
        return classification(
            self._probabilities(task, cell.clip, network, test), np.arange(len(classes)), test, classes
        )

    def _probabilities(
        self, task: Task, clip: ClipOptions, network: Objective, test: LabelledVideos
    ) -> NDArray[np.float64]:
        """``[N, classes]`` scores, averaged over the clips of each test video according to ``average``."""
        term, backbone = network.term("supervised"), network.backbone
        assert isinstance(term, Supervised)

        def scores(clips: Tensor) -> Tensor:
            logits: Tensor = term.classifier(pool(backbone(clips))).float()
            return logits.softmax(dim=1) if self.options.average == "softmax" else logits

        values = over_videos(
            scores,
            network,
            task.source,
            [task.source.catalog.videos[index] for index in test.video.tolist()],
            self.options.clip.of(clip),
            self.options.clips,
            batch_clips=task.batch_clips,
            device=task.device,
            precision=task.precision,
            crops=self.options.crops,
        )
        check_finite("test", test.path, values, what="scores")
        exact = values.astype(np.float64)
        if self.options.average == "logits":
            exact = np.exp(exact - exact.max(axis=1, keepdims=True))
        return np.asarray(exact / exact.sum(axis=1, keepdims=True), dtype=np.float64)
