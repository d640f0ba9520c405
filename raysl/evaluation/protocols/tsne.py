"""A map of the test videos' features in two dimensions by t-SNE, to be looked at (TCLR's Figures 15 and 16).

van der Maaten and Hinton 2008, "Visualizing Data using t-SNE". The map starts at the first two principal components, as
in the paper, so that nothing but the choice of classes is drawn at random; gradients are exact, so that it does not
depend on the number of threads as the tree-based approximation does. Coordinates are kept with the result.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from raysl.config.component import Component
from raysl.config.options import NO_UNIT, option
from raysl.evaluation.feature_protocol import FeatureOptions, FeatureProtocol
from raysl.evaluation.protocol import EvaluationResult, Features, percent, prediction_table
from raysl.evaluation.protocols.retrieval import nearest_mean
from raysl.streams import stream

Floats = NDArray[np.float64]
LEAST = 4
"""Videos of a map; fewer have none."""
DECIMALS = 3


class TSNEOptions(FeatureOptions):
    """Options of the map."""

    perplexity: float = option(
        50.0,
        doc="neighbours that t-SNE weighs for a video; a third of the other videos where those are fewer than three "
        "times as many",
        unit="neighbours",
        source="printed: TCLR appendix J",
        ge=1,
        le=1000,
    )
    classes: int | None = option(
        10,
        doc="classes on the map, drawn at random and the same for every cell; null: all",
        unit="classes",
        source="inferred: TCLR Figure 16: drawn at random",
        ge=1,
        le=10**6,
    )
    classes_seed: int = option(
        0, doc="seed of the draws of classes and of videos", unit=NO_UNIT, source="ours", ge=0, le=2**31 - 1
    )
    videos: int = option(
        1000,
        doc="test videos on the map at most, drawn at random and the same for every cell",
        unit="videos",
        source="ours",
        ge=2,
        le=5000,
    )
    iterations: int = option(
        1000, doc="steps of the optimisation", unit="steps", source="ours: scikit-learn's", ge=250, le=10**5
    )


class TSNE(FeatureProtocol):
    """See the module.

    Metrics: ``nearest_mean``, percent of all test videos that are nearest to their own class's mean of training videos;
    ``map_neighbours``, percent of those on the map whose nearest on the map is of their class (absent without a map).
    The map is for the eye: distances between its clusters mean little.
    """

    def __init__(self, options: TSNEOptions) -> None:
        self.options = options

    def measure(self, train: Features, test: Features, classes: tuple[str, ...], seed: int) -> EvaluationResult:
        """Predictions add ``predicted``; the details have ``map``: path, x and y of the videos on it."""
        predicted = nearest_mean(train, test)
        correct = predicted == test.label
        metrics: dict[str, float] = {"nearest_mean": percent(correct)}
        details: dict[str, object] = {"map": None}
        rows = self._drawn(test)
        if len(rows) >= LEAST:
            perplexity = min(self.options.perplexity, (len(rows) - 1) / 3)
            points = embed(test.values[rows], perplexity, self.options.iterations)
            metrics["map_neighbours"] = percent(_nearest_of_own_class(points, test.label[rows]))
            x, y = points.T.tolist()
            details = {"map": {"path": [test.path[row] for row in rows], "x": x, "y": y, "perplexity": perplexity}}
        return EvaluationResult(metrics, prediction_table(test, correct, predicted=predicted), details)

    def _drawn(self, test: Features) -> NDArray[np.int64]:
        """The rows' order: by the videos' numbers, whatever order they have."""
        labels, options = np.unique(test.label), self.options
        order = stream(options.classes_seed, "tsne", "classes").permutation(len(labels))
        own = np.flatnonzero(np.isin(test.label, labels[order[: options.classes]]))
        own = own[np.argsort(test.video[own])]
        chosen = stream(options.classes_seed, "tsne", "videos").permutation(len(own))[: options.videos]
        return np.asarray(own[np.sort(chosen)], dtype=np.int64)


def embed(values: NDArray[np.float32], perplexity: float, iterations: int) -> Floats:
    """``[M, 2]`` of ``[M, D]`` features, rounded; all at one point if the features are."""
    from sklearn import manifold  # takes a second to import, and only this protocol needs it

    if np.ptp(values, axis=0).max() == 0:
        return np.zeros((len(values), 2))
    model = manifold.TSNE(init="pca", perplexity=perplexity, max_iter=iterations, method="exact", random_state=0)
    return np.asarray(np.round(model.fit_transform(values.astype(np.float64)), DECIMALS), dtype=np.float64)


def _nearest_of_own_class(points: Floats, label: NDArray[np.int64]) -> NDArray[np.bool_]:
    squared = np.square(points[:, None] - points).sum(axis=2)
    np.fill_diagonal(squared, np.inf)
    return np.asarray(label[squared.argmin(axis=1)] == label, dtype=np.bool_)


COMPONENT = Component(
    kind="protocol",
    options=TSNEOptions,
    build=TSNE,
    metrics=lambda options: ("nearest_mean", "map_neighbours"),
)
