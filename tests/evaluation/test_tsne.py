"""The map of test features: which videos are on it, and that it keeps neighbours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from raysl.config.component import find
from raysl.evaluation.protocol import EvaluationResult, Features
from raysl.evaluation.protocols.tsne import TSNEOptions, embed
from raysl.testing.features import class_names, toy_features


def measured(test: Features, **options: Any) -> EvaluationResult:
    train = toy_features(60, 6, signal=8.0, split="train")
    chosen = TSNEOptions(**{"iterations": 250, **options})
    result: EvaluationResult = find("protocol", "tsne").build(chosen).on_features(train, test, class_names(6), 0)
    return result


def test_classes_that_are_apart_are_apart_on_the_map() -> None:
    test = toy_features(120, 6, signal=30.0, split="test")
    result = measured(test, iterations=500)
    found: Any = result.details["map"]
    assert found["path"] == list(test.path)
    assert found["perplexity"] == pytest.approx(119 / 3)
    points = np.stack([found["x"], found["y"]], axis=1)
    centres = np.stack([points[test.label == label].mean(axis=0) for label in range(6)])
    nearest = np.square(points[:, None] - centres).sum(axis=2).argmin(axis=1)
    assert (nearest == test.label).all()
    assert result.metrics == {"nearest_mean": 100.0, "map_neighbours": 100.0}


def test_the_same_classes_and_videos_whatever_the_features() -> None:
    one, other = (toy_features(120, 6, signal=signal, split="test") for signal in (1.0, 5.0))
    first, second = (measured(test, classes=2, videos=25) for test in (one, other))
    maps: list[Any] = [first.details["map"], second.details["map"]]
    assert maps[0]["path"] == maps[1]["path"]
    assert maps[0]["x"] != maps[1]["x"]
    labels = {int(path.split("/")[1].removesuffix(".mp4")) % 6 for path in maps[0]["path"]}
    assert (len(maps[0]["path"]), len(labels)) == (25, 2)
    elsewhere: Any = measured(one, classes=2, videos=25, classes_seed=3).details["map"]
    assert elsewhere["path"] != maps[0]["path"]


def test_few_videos_have_no_map_and_collapsed_ones_are_at_one_point() -> None:
    few = measured(toy_features(3, 6, signal=1.0, split="test"))
    assert few.details["map"] is None
    assert set(few.metrics) == {"nearest_mean"}
    test = toy_features(12, 6, signal=1.0, split="test")
    collapsed: Any = measured(replace(test, values=np.ones_like(test.values))).details["map"]
    assert set(collapsed["x"] + collapsed["y"]) == {0.0}


def test_the_map_is_the_same_at_every_number_of_threads() -> None:
    values = toy_features(60, 6, signal=1.0, split="test").values
    maps = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            maps.append(embed(values, 10.0, 250))
    np.testing.assert_array_equal(maps[0], maps[1])
