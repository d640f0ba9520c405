from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydantic
import pytest

from raysl.errors import DataError
from raysl.evaluation.protocol import Features
from raysl.evaluation.protocols.retrieval import Retrieval, RetrievalOptions
from raysl.testing.features import class_names, toy_features


def ranked_by_loops(query: np.ndarray, gallery: Features) -> list[int]:
    """Gallery rows from near to far, from the definition: cosine, then the gallery's order."""

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        lengths = float(np.sqrt((a**2).sum()) * np.sqrt((b**2).sum()))
        return float((a * b).sum()) / lengths if lengths > 0 else 0.0

    similarity = [cosine(query.astype(np.float64), row.astype(np.float64)) for row in gallery.values]
    return sorted(range(len(gallery)), key=lambda row: (-round(similarity[row], 10), row))


@pytest.mark.parametrize("queries", [1, 37, 300])
def test_against_plain_loops(queries: int) -> None:
    train = toy_features(70, 7, signal=1.0, split="train")
    test = toy_features(queries, 7, signal=1.0, split="test")
    train.values[20:30] = train.values[10:20]  # duplicates: only the gallery's order decides
    train.values[33] = 0
    test.values[0] = 0
    result = Retrieval(RetrievalOptions()).on_features(train, test, class_names(7), 0)
    ranking = [ranked_by_loops(query, train) for query in test.values]
    hits = [
        next(place for place, row in enumerate(rows, 1) if train.label[row] == label)
        for rows, label in zip(ranking, test.label, strict=True)
    ]
    assert result.predictions["first_hit"].tolist() == hits
    assert result.predictions["nearest"].tolist() == [train.path[rows[0]] for rows in ranking]
    for k in (1, 5, 10, 20, 50):
        assert result.metrics[f"R@{k}"] == pytest.approx(100 * np.mean([hit <= k for hit in hits]))
    assert result.details["zero_features"] == 2
    kept = result.details["examples"]
    assert isinstance(kept, list)
    shown = [test.path.index(one["query"]) for one in kept]
    assert (shown[0], shown[-1], len(shown)) == (0, queries - 1, min(queries, 5)), "spread over the test videos"
    assert [one["nearest"] for one in kept] == [[train.path[row] for row in ranking[query][:5]] for query in shown]
    assert [one["class"] for one in kept] == [class_names(7)[test.label[query]] for query in shown]


def test_scale_of_a_feature_does_not_matter() -> None:
    train, test = toy_features(40, 4, signal=1.0, split="train"), toy_features(21, 4, signal=1.0, split="test")
    factors = np.random.default_rng(0).uniform(0.01, 100, size=(40, 1)).astype(np.float32)
    scaled = replace(train, values=train.values * factors)
    probe = Retrieval(RetrievalOptions())
    assert probe.on_features(train, test, class_names(4), 0).metrics == (
        probe.on_features(scaled, test, class_names(4), 0).metrics
    )


def test_k_beyond_the_gallery_is_left_out_and_said() -> None:
    train, test = toy_features(12, 4, signal=1.0, split="train"), toy_features(8, 4, signal=1.0, split="test")
    result = Retrieval(RetrievalOptions()).on_features(train, test, class_names(4), 0)
    assert list(result.metrics) == ["R@1", "R@5", "R@10"]
    assert result.details["k_left_out"] == [20, 50]
    with pytest.raises(DataError, match="12 training videos is smaller than the smallest k of retrieval, 13"):
        Retrieval(RetrievalOptions(k=(13, 20))).on_features(train, test, class_names(4), 0)


def test_query_without_its_class_in_the_gallery_never_hits() -> None:
    train, test = toy_features(12, 3, signal=5.0, split="train"), toy_features(8, 4, signal=5.0, split="test")
    result = Retrieval(RetrievalOptions(k=(1, 12))).on_features(train, test, class_names(4), 0)
    assert result.details["queries_without_a_video_of_their_class"] == 2
    assert result.predictions["first_hit"].isna().tolist() == (test.label == 3).tolist()
    assert result.metrics["R@12"] == 75.0


@pytest.mark.parametrize("k", [(), (0, 1), (5, 1), (1, 1)])
def test_bad_k_is_refused(k: tuple[int, ...]) -> None:
    with pytest.raises(pydantic.ValidationError, match="k"):
        RetrievalOptions(k=k)
