"""Linear probe: multinomial logistic regression on frozen features, solved to convergence.

A convex problem has one answer: there is no learning rate or number of epochs to tune for each row. The published
probes are trained by SGD (TaCo 60 epochs, CVRL and CSTP 100); those come as a protocol of their own.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from raysl.config.component import Component
from raysl.config.options import option
from raysl.evaluation.feature_options import FeatureOptions
from raysl.evaluation.logistic import Normalize, choose, fit
from raysl.evaluation.protocol import EvaluationResult, FeatureProtocol, Features, percent, prediction_table


class LinearOptions(FeatureOptions):
    """Options of the linear probe."""

    normalize: Normalize = option(
        "standardize",
        doc="what is done to a feature vector; standardize: mean and deviation of the training videos; l2: unit length",
        source="[?]; CVRL and CSTP l2, TaCo and TCLR none",
    )
    c: float | Literal["choose"] = option(
        "choose",
        doc="inverse strength of the L2 penalty (sum of losses * c + |w|^2 / 2); choose: by cross-validation within "
        "the training videos, groups kept whole",
        source="[?]",
    )
    grid: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...] = option(
        (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0), doc="what c is chosen from", source="[?]", min_length=2
    )
    folds: int = option(5, doc="parts of the cross-validation that chooses c", source="[?]", ge=2, le=20)
    iterations: int = option(1000, doc="most steps of the solver (L-BFGS)", unit="steps", source="[?]", ge=1)

    @field_validator("c")
    @classmethod
    def _positive(cls, c: float | str) -> float | str:
        if not isinstance(c, str) and not 0 < c < float("inf"):
            raise ValueError(f"c must be above 0 and finite, or choose: {c}")
        return c

    @field_validator("grid")
    @classmethod
    def _increasing(cls, grid: tuple[float, ...]) -> tuple[float, ...]:
        if list(grid) != sorted(set(grid)):
            raise ValueError(f"grid must increase: {list(grid)}")
        return grid


class LinearProbe(FeatureProtocol):
    """Logistic regression on the training videos' features; the test videos are only ever predicted."""

    def __init__(self, options: LinearOptions) -> None:
        self.options = options

    def measure(self, train: Features, test: Features, classes: tuple[str, ...], seed: int) -> EvaluationResult:
        """Metrics ``top1``, ``top5`` (more than five classes), ``mean_class`` (mean of the classes' accuracies).

        Predictions add ``predicted`` (class index) and ``probability`` (of the true class; 0 where it was not taught).

        Raises:
            DataError: c is to be chosen and the training videos cannot be split for it.
        """
        options = self.options
        details: dict[str, object] = {}
        if isinstance(options.c, str):
            choice = choose(train, options.grid, options.folds, options.normalize, options.iterations, seed)
            c, details = choice.c, choice.details()
        else:
            c = options.c
        model = fit(train.values, train.label, c, options.normalize, options.iterations)
        details |= {"c": c, "converged": model.converged}

        probabilities = model.probabilities(test.values)
        predicted = model.classes[probabilities.argmax(axis=1)]
        true = _true_probability(probabilities, model.classes, test.label)
        correct = predicted == test.label
        metrics = {"top1": percent(correct)}
        if len(model.classes) > 5:
            metrics["top5"] = percent(_in_top(5, probabilities, model.classes, test.label))
        by_class = {int(label): percent(correct[test.label == label]) for label in np.unique(test.label)}
        metrics["mean_class"] = float(np.mean(list(by_class.values())))
        details["class_accuracy"] = {classes[label]: accuracy for label, accuracy in by_class.items()}
        return EvaluationResult(
            metrics, prediction_table(test, correct, predicted=predicted, probability=true), details
        )


def _true_probability(
    probabilities: NDArray[np.float64], taught: NDArray[np.int64], label: NDArray[np.int64]
) -> NDArray[np.float64]:
    return np.asarray(np.where(label[:, None] == taught, probabilities, 0.0).sum(axis=1), dtype=np.float64)


def _in_top(
    k: int, probabilities: NDArray[np.float64], taught: NDArray[np.int64], label: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """The true class is among the k most probable; equal probabilities rank in the order of the classes."""
    top = taught[np.argsort(-probabilities, axis=1, kind="stable")[:, :k]]
    return np.asarray((top == label[:, None]).any(axis=1))


COMPONENT = Component(kind="protocol", options=LinearOptions, build=LinearProbe)
