"""Geometry of the test videos' features: how close classes are, how spread all videos, in how many dimensions.

Wang and Isola 2020, "Understanding Contrastive Representation Learning through Alignment and Uniformity on the
Hypersphere", https://arxiv.org/abs/2005.10242; Garrido et al. 2023, "RankMe: Assessing the Downstream Performance of
Pretrained Self-Supervised Representations by Their Rank", https://arxiv.org/abs/2210.02885. Curves have the first two
of a step's embeddings (`raysl.objectives.losses.representation_metrics`); here they are of the backbone's features,
over all videos.

Shapes: N test videos, D feature channels.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from raysl.config.component import Component
from raysl.evaluation.feature_protocol import FeatureOptions, FeatureProtocol
from raysl.evaluation.neighbours import unit
from raysl.evaluation.protocol import EvaluationResult, Features, percent, prediction_table
from raysl.evaluation.protocols.retrieval import nearest_mean

Floats = NDArray[np.float64]
VIDEOS_AT_ONCE = 512
EPSILON = 1e-7
"""Added to each share of RankMe."""


class GeometryOptions(FeatureOptions):
    """Options of the analysis."""


class Geometry(FeatureProtocol):
    """The geometry of features.

    Metrics: ``nearest_mean``, percent of test videos that are nearest to their own class's mean of training videos;
    ``alignment``, mean squared distance of two test videos of one class, every video the same, times 100 (0 to 400;
    absent if no class has two); ``uniformity``, log of the mean of exp(-2 squared distance) over pairs of test
    videos, times 100 (-800 to 0, the lower the more spread); ``spread``, standard deviation over videos, mean over
    dimensions, times sqrt(D), times 100 (0 collapsed, 100 over the whole sphere); ``rankme``, effective dimensions.
    All but the last are of features at unit length. Alignment of the clips of one video is in the protocol
    ``similarity``: 2 - ``within`` / 50.
    """

    def __init__(self, options: GeometryOptions) -> None:
        self.options = options

    def measure(self, train: Features, test: Features, classes: tuple[str, ...], seed: int) -> EvaluationResult:
        """Predictions add ``predicted``, the class with the nearest mean."""
        rows, predicted = unit(test.values), nearest_mean(train, test)
        correct = predicted == test.label
        metrics = {"nearest_mean": percent(correct), **distances(rows, test.label)}
        metrics["spread"] = 100 * sphere_spread(rows)
        metrics["rankme"] = rankme(test.values.astype(np.float64))
        zero = int((~test.values.any(axis=1)).sum())
        return EvaluationResult(metrics, prediction_table(test, correct, predicted=predicted), {"zero_features": zero})


def sphere_spread(rows: Floats) -> float:
    """Standard deviation of ``[N, D]`` rows of unit length, mean over D, times sqrt(D) (SimSiam 4.1, Figure 2).

    0 if all are one point, 1 if they are spread over the whole sphere.
    """
    return float(rows.std(axis=0).mean() * np.sqrt(rows.shape[1]))


def distances(rows: Floats, label: NDArray[np.int64]) -> dict[str, float]:
    """``alignment`` and ``uniformity`` of ``[N, D]`` rows of unit length; a metric without pairs is absent."""
    own, potential = [], []
    for same, squared in _blocks(rows, label):
        count = same.sum(axis=1)
        own.append(np.where(same, squared, 0.0).sum(axis=1)[count > 0] / count[count > 0])
        potential.append(np.exp(-2 * squared).sum())
    pairs, aligned = len(rows) * (len(rows) - 1), np.concatenate(own)
    found = {"alignment": 100 * float(aligned.mean())} if len(aligned) else {}
    # Each row's distance to itself, exp(0), is no pair.
    return found | ({"uniformity": 100 * float(np.log((sum(potential) - len(rows)) / pairs))} if pairs else {})


def _blocks(rows: Floats, label: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.bool_], Floats]]:
    """Of some rows with all: whether they are different videos of one class, and squared distances, 0 to oneself."""
    lengths = np.square(rows).sum(axis=1)
    for start in range(0, len(rows), VIDEOS_AT_ONCE):
        block = slice(start, start + VIDEOS_AT_ONCE)
        squared = (lengths[block, None] + lengths - 2 * rows[block] @ rows.T).clip(min=0)
        itself = np.arange(len(rows))[block, None] == np.arange(len(rows))
        yield (label[block, None] == label) & ~itself, np.where(itself, 0.0, squared)


def rankme(values: Floats) -> float:
    """exp of the entropy of the singular values' shares (RankMe Eq. 1): of ``[N, D]`` 1 to min(N, D); 0 of zeros.

    It is at most the number of videos, so it compares networks on one test set only.
    """
    singular = np.linalg.svd(values, compute_uv=False)
    if not singular.sum():
        return 0.0
    shares = singular / singular.sum() + EPSILON
    return float(np.exp(-(shares * np.log(shares)).sum()))


COMPONENT = Component(
    kind="protocol",
    options=GeometryOptions,
    build=Geometry,
    metrics=lambda options: ("nearest_mean", "alignment", "uniformity", "spread", "rankme"),
)
