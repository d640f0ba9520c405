from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from raysl.evaluation import neighbours as module
from raysl.evaluation.neighbours import DECIMALS, neighbours, similarities, unit
from raysl.evaluation.protocol import Features
from raysl.testing.features import toy_features


def sets(kind: str) -> tuple[Features, Features]:
    """Queries and a gallery; the last class has no row in the gallery."""
    gallery, queries = (
        toy_features(size, 7, signal=1.0, split=split) for size, split in ((500, "train"), (90, "test"))
    )
    draw = np.random.default_rng(3)
    for one in (gallery, queries):
        if kind == "equal":
            one.values[:] = np.round(one.values)
            one.values[40:80] = one.values[:40]
            one.values[5] = 0
        elif kind == "near one another":
            one.values[:] = 5 + 1e-3 * one.values
        elif kind == "collapsed":
            one.values[:] = 1
        elif kind == "in the last digit":
            one.values[:] = np.nextafter(np.float32(1), np.float32(2), dtype=np.float32) * draw.integers(1, 3, (1, 1))
            one.values[:, 0] += 2e-7 * draw.integers(0, 3, len(one)).astype(np.float32)
        elif kind == "large":
            one.values[:] *= np.float32(1e30)
    return queries, replace(gallery, label=np.where(gallery.label == 6, 0, gallery.label))


def by_float64(queries: Features, gallery: Features) -> tuple[list[int], list[int]]:
    """Nearest rows and ranks of first hits, by sorting all similarities."""
    nearest, ranks = [], []
    for values, label in zip(queries.values, queries.label, strict=True):
        similarity = np.round(unit(values[None]) @ unit(gallery.values).T, DECIMALS)[0]
        order = np.argsort(-similarity, kind="stable")
        hits = np.flatnonzero(gallery.label[order] == label)
        nearest.append(int(order[0]))
        ranks.append(int(hits[0]) + 1 if len(hits) else 0)
    return nearest, ranks


@pytest.mark.parametrize("kind", ["plain", "equal", "near one another", "collapsed", "in the last digit", "large"])
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_ranks_are_those_of_float64(kind: str, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever share of doubtful similarities has a block computed in float64 as a whole."""
    monkeypatch.setattr(module, "MOST_DOUBTFUL", share)
    monkeypatch.setattr(module, "QUERIES_AT_ONCE", 32)
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 64)
    queries, gallery = sets(kind)
    found = neighbours(queries, gallery)
    assert (found.nearest.tolist(), found.first_hit.tolist()) == by_float64(queries, gallery)
    assert (found.first_hit == 0).tolist() == (queries.label == 6).tolist()


def test_similarities_are_cosines() -> None:
    queries, gallery = sets("plain")
    expected = [
        [float(a @ b) / float(np.linalg.norm(a) * np.linalg.norm(b)) for b in gallery.values.astype(np.float64)]
        for a in queries.values.astype(np.float64)
    ]
    assert np.allclose(similarities(queries.values, gallery.values), expected, atol=1e-9)
