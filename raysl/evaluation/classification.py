"""Top-1 and top-5 accuracy from class probabilities, for every protocol that classifies videos.

Shapes: N test videos, P classes of the training videos.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from raysl.evaluation.protocol import EvaluationResult, LabelledVideos, percent, prediction_table

METRICS = ("top1", "top5", "mean_class")
"""What `classification` measures."""

NEEDS_CLASSES = {"top5": 6}
"""With five classes or fewer every video is in the top five."""


def classification(
    probabilities: NDArray[np.float64], taught: NDArray[np.int64], test: LabelledVideos, classes: tuple[str, ...]
) -> EvaluationResult:
    """Metrics ``top1``, ``top5`` (for more than five classes), ``mean_class`` (mean of the classes' accuracies).

    Predictions have ``predicted`` (class index) and ``probability`` (of the true class; 0 if no training video has it);
    the details have ``class_accuracy``.

    Args:
        probabilities: ``[N, P]``.
        taught: ``[P]``, the class index of each column, increasing.
    """
    predicted = taught[probabilities.argmax(axis=1)]
    correct = predicted == test.label
    metrics = {"top1": percent(correct)}
    if len(taught) > 5:
        metrics["top5"] = percent(_in_top(5, probabilities, taught, test.label))
    by_class = {int(label): percent(correct[test.label == label]) for label in np.unique(test.label)}
    metrics["mean_class"] = float(np.mean(list(by_class.values())))
    true = _true_probability(probabilities, taught, test.label)
    return EvaluationResult(
        metrics,
        prediction_table(test, correct, predicted=predicted, probability=true),
        {"class_accuracy": {classes[label]: accuracy for label, accuracy in by_class.items()}},
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
