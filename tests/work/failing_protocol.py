"""A protocol from outside raysl that always fails: found by its import path."""

from __future__ import annotations

from raysl.config.component import Component
from raysl.errors import CellFailure
from raysl.evaluation.feature_protocol import FeatureOptions, FeatureProtocol
from raysl.evaluation.protocol import EvaluationResult, Features


class Failing(FeatureProtocol):
    """Measures nothing."""

    def measure(self, train: Features, test: Features, classes: tuple[str, ...], seed: int) -> EvaluationResult:
        raise CellFailure("this protocol always fails")


def _build(options: FeatureOptions) -> Failing:
    return Failing()


COMPONENT = Component(kind="protocol", options=FeatureOptions, build=_build)
