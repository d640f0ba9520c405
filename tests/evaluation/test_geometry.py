"""Distances, spread and rank of features whose geometry is known."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
import torch

from raysl.config.component import find
from raysl.evaluation.protocol import EvaluationResult, Features
from raysl.evaluation.protocols.geometry import GeometryOptions, distances, rankme
from raysl.evaluation.protocols.retrieval import nearest_mean
from raysl.objectives.losses.representation_metrics import representation_metrics, uniformity
from raysl.testing.features import class_names, toy_features


def features(values: np.ndarray[tuple[int, int], np.dtype[np.float64]], label: list[int], split: str) -> Features:
    paths = tuple(f"{split}/{row}" for row in range(len(label)))
    return Features(np.arange(len(label)), np.array(label), paths, (None,) * len(label), values.astype(np.float32))


def measured(train: Features, test: Features) -> EvaluationResult:
    result: EvaluationResult = (
        find("protocol", "geometry").build(GeometryOptions()).on_features(train, test, class_names(6), 0)
    )
    return result


def test_distances_equal_an_oracle_of_pairs_and_the_metrics_of_a_step() -> None:
    rows = np.random.default_rng(0).normal(size=(700, 5))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    label = np.arange(700) % 3
    found = distances(rows, label)
    assert found["uniformity"] == pytest.approx(100 * uniformity(torch.tensor(rows)).item())
    few = rows[:7]
    own: dict[int, list[float]] = {video: [] for video in range(7)}
    for one, other in permutations(range(7), 2):
        if label[one] == label[other]:
            own[one].append(float(np.square(few[one] - few[other]).sum()))
    expected = float(np.mean([np.mean(values) for values in own.values()]))
    assert distances(few, label[:7])["alignment"] == pytest.approx(100 * expected)


def test_what_no_pair_gives_is_absent() -> None:
    assert set(distances(np.eye(3), np.arange(3))) == {"uniformity"}
    assert distances(np.eye(3)[:1], np.zeros(1, dtype=np.int64)) == {}


def test_collapsed_classes_far_apart() -> None:
    """Two classes at opposite ends: all pairs of a class at distance 0, all others at squared distance 4."""
    values, label = np.array([[2.0, 0.0], [3.0, 0.0], [-1.0, 0.0], [-5.0, 0.0]]), [0, 0, 1, 1]
    result = measured(features(values, label, "train"), features(values, label, "test"))
    assert result.metrics["nearest_mean"] == 100
    assert result.metrics["alignment"] == pytest.approx(0, abs=1e-6)
    assert result.metrics["uniformity"] == pytest.approx(100 * math.log((1 + 2 * math.exp(-8)) / 3))
    assert result.metrics["spread"] == pytest.approx(100 * 0.5 * math.sqrt(2))
    assert result.metrics["rankme"] == pytest.approx(1, abs=1e-4)
    assert result.predictions["predicted"].tolist() == label


def test_spread_is_that_of_a_step() -> None:
    train, test = (toy_features(90, 6, signal=1.0, split=split) for split in ("train", "test"))
    found = measured(train, test).metrics
    rows = torch.tensor(test.values)
    assert found["spread"] == pytest.approx(100 * representation_metrics(rows, rows)["embedding_std"].item(), rel=1e-4)
    assert 1 < found["rankme"] < 16


@pytest.mark.parametrize("dimensions", [1, 4, 16])
def test_rankme_counts_equal_dimensions(dimensions: int) -> None:
    rows = np.zeros((64, 16))
    rows[:, :dimensions] = np.tile(np.eye(dimensions), (64 // dimensions, 1))
    assert rankme(rows) == pytest.approx(dimensions, rel=1e-4)
    assert rankme(7 * rows) == pytest.approx(rankme(rows)), "of any length"
    assert rankme(np.zeros((4, 3))) == 0


def test_the_nearest_mean_is_of_unit_features_and_ties_go_to_the_first_class() -> None:
    train = features(np.array([[100.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.6, 0.8]]), [3, 5, 5, 3], "train")
    test = features(np.array([[1.0, 1.0], [0.0, 2.0], [0.0, 0.0]]), [3, 5, 5], "test")
    assert nearest_mean(train, test).tolist() == [3, 5, 3], "of 100 and 1 both count the same; zeros are like nothing"
