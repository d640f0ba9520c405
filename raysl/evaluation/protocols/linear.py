"""Linear probe: multinomial logistic regression on frozen features, solved to convergence.

A convex problem has one answer: there is no learning rate or number of epochs to tune for each row. The published
probes are trained by SGD (TaCo 60 epochs, CVRL and CSTP 100): `raysl.evaluation.protocols.linear_trained`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, field_validator

from raysl.config.cell import CellConfig
from raysl.config.component import Component
from raysl.config.options import NO_UNIT, option
from raysl.evaluation.against_data import LabelledSplits
from raysl.evaluation.classification import METRICS, NEEDS_CLASSES, classification
from raysl.evaluation.feature_protocol import FeatureOptions, FeatureProtocol
from raysl.evaluation.logistic import Normalize, Solver, check_folds, choose
from raysl.evaluation.protocol import EvaluationResult, Features, LabelledVideos


class LinearOptions(FeatureOptions):
    """Options of the linear probe."""

    normalize: Normalize = option(
        "standardize",
        doc="what is done to a feature vector; standardize: mean and deviation of the training videos; l2: unit length",
        source="ours; CVRL and CSTP l2, TaCo and TCLR none",
    )
    c: Annotated[float, Field(gt=0, le=1e6)] | Literal["choose"] = option(
        "choose",
        doc="inverse strength of the L2 penalty (sum of losses * c + |w|^2 / 2); choose: by cross-validation within "
        "the training videos, groups kept whole",
        unit=NO_UNIT,
        source="ours",
    )
    grid: tuple[Annotated[float, Field(gt=0, le=1e6)], ...] = option(
        (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0),
        doc="values that c is chosen from",
        unit=NO_UNIT,
        source="ours",
        min_length=2,
    )
    folds: int = option(5, doc="parts of the cross-validation that chooses c", unit="folds", source="ours", ge=2, le=20)
    iterations: int = option(
        10_000, doc="most steps of the solver (L-BFGS) for each c", unit="steps", source="ours", ge=1, le=10**6
    )
    tolerance: float = option(
        1e-7,
        doc="the solver ends when no entry of the gradient of the mean loss is larger; scikit-learn's own 1e-4 stops "
        "early at c of 1 and more, where predictions still change",
        unit=NO_UNIT,
        source="ours: `benchmarks/probe.py` compares tolerances",
        gt=0,
        le=0.1,
    )
    warm_start: bool = option(
        True,
        doc="along the grid each c starts from the weights of the previous c; if the tolerance stops early, that "
        "changes them",
        source="ours",
    )

    @property
    def solver(self) -> Solver:
        return Solver(self.tolerance, self.iterations, self.warm_start)

    @field_validator("grid")
    @classmethod
    def _increasing(cls, grid: tuple[float, ...]) -> tuple[float, ...]:
        if list(grid) != sorted(set(grid)):
            raise ValueError(f"grid must increase: {list(grid)}")
        return grid


class LinearProbe(FeatureProtocol):
    """Logistic regression on the training videos' features; test videos are used only for prediction."""

    def __init__(self, options: LinearOptions) -> None:
        self.options = options

    def measure(self, train: Features, test: Features, classes: tuple[str, ...], seed: int) -> EvaluationResult:
        """Metrics and predictions of `classification`.

        Raises:
            DataError: c is to be chosen and the training videos cannot be split for it.
        """
        options, solver = self.options, self.options.solver
        details: dict[str, object] = {}
        if isinstance(options.c, str):
            choice = choose(train, options.grid, options.folds, options.normalize, solver, seed)
            c, details = choice.c, choice.details()
        else:
            c = options.c
        model = solver.fit(train.values, train.label, c, options.normalize)
        result = classification(model.probabilities(test.values), model.classes, test, classes)
        return replace(result, details={**details, "c": c, "converged": model.converged, **result.details})


def _check_data(options: LinearOptions, cell: CellConfig, splits: LabelledSplits) -> None:
    """The folds that choose c depend only on labels and groups."""
    if isinstance(options.c, str):
        videos = LabelledVideos.of(splits.train)
        check_folds(Features(**vars(videos), values=np.zeros((len(videos), 1), np.float32)), options.folds)


COMPONENT = Component(
    kind="protocol",
    options=LinearOptions,
    build=LinearProbe,
    version=2,  # solved: before, scikit-learn's tolerance stopped early
    check_data=_check_data,
    metrics=lambda options: METRICS,
    needs_classes=NEEDS_CLASSES,
    trivial=True,
)
