"""The protocol of docs/adding-a-protocol.md: each test video is of the class whose mean feature is nearest."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from raysl.config.component import Component
from raysl.config.options import option
from raysl.evaluation.feature_protocol import FeatureOptions, FeatureProtocol
from raysl.evaluation.protocol import EvaluationResult, Features, percent, prediction_table


class NearestMeanOptions(FeatureOptions):
    """Options of the nearest class mean."""

    metric: Literal["cosine", "euclidean"] = option("cosine", doc="what is near", source="ours")


class NearestMean(FeatureProtocol):
    """Metric ``top1``; equal distances go to the class that comes first."""

    def __init__(self, options: NearestMeanOptions) -> None:
        self.options = options

    def measure(self, train: Features, test: Features, classes: tuple[str, ...], seed: int) -> EvaluationResult:
        taught = np.unique(train.label)
        means = np.stack([self._scaled(train.values)[train.label == label].mean(axis=0) for label in taught])
        differences = self._scaled(test.values)[:, None] - self._scaled(means)
        predicted = taught[np.square(differences).sum(axis=2).argmin(axis=1)]
        correct = predicted == test.label
        return EvaluationResult({"top1": percent(correct)}, prediction_table(test, correct, predicted=predicted), {})

    def _scaled(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        rows = values.astype(np.float64)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True) if self.options.metric == "cosine" else rows


COMPONENT = Component(kind="protocol", options=NearestMeanOptions, build=NearestMean, metrics=lambda options: ("top1",))
