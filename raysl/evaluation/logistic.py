"""Multinomial logistic regression on features, and the choice of its penalty within the training videos."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from raysl.errors import DataError
from raysl.evaluation.protocol import Features

Normalize = Literal["none", "l2", "standardize"]
Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Logistic:
    """A fitted classifier with its normalisation.

    Attributes:
        classes: the labels it knows, increasing.
        converged: the solver met its tolerance within its steps.
    """

    classifier: Any
    shift: Floats
    scale: Floats
    unit_length: bool
    classes: Labels
    converged: bool

    def probabilities(self, values: NDArray[np.float32]) -> Floats:
        """``[N, D]`` features to ``[N, classes]``, rows that sum to one."""
        inputs = _normalized(values, self.shift, self.scale, self.unit_length)
        return np.asarray(self.classifier.predict_proba(inputs), dtype=np.float64)


@dataclass(frozen=True)
class Choice:
    """A penalty chosen by cross-validation.

    Attributes:
        accuracy: percent of each c over all left-out videos.
        unsolved: fits that ended at the most steps, before the solver's tolerance.
    """

    c: float
    accuracy: dict[float, float]
    folds: int
    by_group: bool
    unsolved: int

    def details(self) -> dict[str, object]:
        edges = {min(self.accuracy), max(self.accuracy)}
        equals = {c for c, accuracy in self.accuracy.items() if accuracy == self.accuracy[self.c]}
        return {
            "cross_validation": {str(c): accuracy for c, accuracy in self.accuracy.items()},
            "cross_validation_folds": self.folds,
            "cross_validation_by_group": self.by_group,
            "c_at_edge_of_grid": equals <= edges,
            "cross_validation_not_converged": self.unsolved,
        }


@dataclass(frozen=True)
class Solver:
    """L-BFGS on ``sum of losses * c + |w|^2 / 2``, in float64.

    Attributes:
        tolerance: it ends when no entry of the gradient of the mean loss, penalty included, is larger.
        iterations: most steps for each c.
        warm_start: along a grid, each c starts from the weights of the previous c; otherwise all start from zero.
    """

    tolerance: float = 1e-7
    iterations: int = 10_000
    warm_start: bool = True

    def along(
        self, values: NDArray[np.float32], label: Labels, grid: Sequence[float], normalize: Normalize
    ) -> Iterator[Logistic]:
        """The fit of each c of the grid, in its order; deterministic."""
        from sklearn.exceptions import ConvergenceWarning  # takes a second to import: not when a study is only read
        from sklearn.linear_model import LogisticRegression

        shift, scale = _normalization(values, normalize)
        inputs = _normalized(values, shift, scale, normalize == "l2")
        before = None
        for c in grid:
            classifier = LogisticRegression(C=c, max_iter=self.iterations, tol=self.tolerance, warm_start=True)
            if before is not None and self.warm_start:
                classifier.coef_, classifier.intercept_ = before.coef_.copy(), before.intercept_.copy()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", ConvergenceWarning)
                before = classifier.fit(inputs, label)
            converged = not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
            yield Logistic(classifier, shift, scale, normalize == "l2", np.asarray(classifier.classes_), converged)

    def fit(self, values: NDArray[np.float32], label: Labels, c: float, normalize: Normalize) -> Logistic:
        """The fit of one c, from zero."""
        return next(self.along(values, label, (c,), normalize))


def choose(
    train: Features, grid: tuple[float, ...], folds: int, normalize: Normalize, solver: Solver, seed: int
) -> Choice:
    """The c with the best accuracy on left-out training videos; if several, the smallest: the strongest penalty.

    Videos of one group stay together, so that a scene or a person is never on both sides; without groups the folds
    are stratified. There are fewer than ``folds`` if there are fewer classes or groups.

    Args:
        grid: increasing.

    Raises:
        DataError: the videos cannot be split with at least two classes on both sides.
    """
    splits = _splits(train, folds, seed)
    hits, unsolved = dict.fromkeys(grid, 0), 0
    for rest, held_out in splits:
        models = solver.along(train.values[rest], train.label[rest], grid, normalize)
        for c, model in zip(grid, models, strict=True):
            predicted = model.classes[model.probabilities(train.values[held_out]).argmax(axis=1)]
            hits[c] += int((predicted == train.label[held_out]).sum())
            unsolved += not model.converged
    best = max(grid, key=lambda c: (hits[c], -c))
    videos = sum(len(held_out) for _, held_out in splits)
    accuracy = {c: 100.0 * count / videos for c, count in hits.items()}
    return Choice(best, accuracy, len(splits), _groups(train) is not None, unsolved)


def check_folds(train: Features, folds: int) -> None:
    """Whether `choose` can split the training videos; their features do not matter.

    Raises:
        DataError: they cannot be split so that both sides have something to say.
    """
    if _groups(train) is None and len(np.unique(train.label)) > 1 and _class_sizes(train)[1] > 1:
        return  # stratified folds of these always leave two classes to learn, and scikit-learn takes a second to import
    _splits(train, folds, seed=0)


def _groups(train: Features) -> NDArray[np.int64] | None:
    """Group numbers; a video without a group gets its own; None if no video has a group."""
    if all(group is None for group in train.group):
        return None
    keys = [(row, "") if group is None else (-1, group) for row, group in enumerate(train.group)]
    number = {key: index for index, key in enumerate(dict.fromkeys(keys))}
    return np.array([number[key] for key in keys], dtype=np.int64)


def _splits(train: Features, folds: int, seed: int) -> list[tuple[Rows, Rows]]:
    """Training rows and left-out rows of each fold that has at least two classes to learn."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    groups = _groups(train)
    smallest, largest = _class_sizes(train)
    parts = len(train) if groups is None else int(groups.max()) + 1
    if min(largest, parts) < 2:
        raise DataError(
            "c cannot be chosen by cross-validation: the training videos are all of one group, or each class has one "
            "video. Give the linear protocol a number for its option c"
        )
    count = max(2, min(folds, parts, smallest))
    splitter = StratifiedKFold if groups is None else StratifiedGroupKFold
    with warnings.catch_warnings():
        # A class with fewer videos than folds is absent from some of them, and wrong there for every c.
        warnings.filterwarnings("ignore", message="The least populated class")
        folded = splitter(count, shuffle=True, random_state=seed).split(train.label, train.label, groups)
        usable = [
            (rest, held_out) for rest, held_out in folded if len(held_out) and len(np.unique(train.label[rest])) > 1
        ]
    if not usable:
        raise DataError(
            "c cannot be chosen by cross-validation: leaving groups out leaves fewer than two classes to learn. "
            "Give the linear protocol a number for its option c"
        )
    return usable


def _class_sizes(train: Features) -> tuple[int, int]:
    """Videos of the smallest and of the largest class."""
    sizes = np.unique(train.label, return_counts=True)[1]
    return int(sizes.min()), int(sizes.max())


def _normalization(values: NDArray[np.float32], normalize: Normalize) -> tuple[Floats, Floats]:
    if normalize != "standardize":
        return np.zeros(values.shape[1]), np.ones(values.shape[1])
    shift = values.mean(axis=0, dtype=np.float64)
    deviation = values.std(axis=0, dtype=np.float64)
    # A constant channel has no information; dividing its rounding noise by itself would make it the largest.
    return shift, np.where(deviation > 1e-6 * np.maximum(np.abs(shift), 1e-6), deviation, np.inf)


def _normalized(values: NDArray[np.float32], shift: Floats, scale: Floats, unit_length: bool) -> Floats:
    rows = (values.astype(np.float64) - shift) / scale
    if unit_length:
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        rows = rows / np.where(length > 0, length, 1.0)
    return np.asarray(rows, dtype=np.float64)
