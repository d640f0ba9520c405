"""Who is nearest by cosine, and how far down the first of the same class stands: as in float64, at float32's cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raysl.evaluation.protocol import Features

DECIMALS = 10
"""Similarities are rounded to this, so that equal features tie in whatever order a product was summed."""
QUERIES_AT_ONCE, SIMILARITIES_AT_ONCE = 256, 2**23
"""Queries in one block, fewer if the gallery has more than 32,768 rows."""
ROWS_AT_ONCE = 4096
"""Rows that are in float64 at the same time."""
MOST_DOUBTFUL = 1 / 32
"""Share of a block's similarities above which all are computed in float64: single ones cost 30 times as much."""

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Features32 = NDArray[np.float32]


@dataclass(frozen=True)
class Neighbours:
    """For each query.

    Attributes:
        nearest: gallery row.
        first_hit: rank, from 1, of the first video of the same class; 0: none.
    """

    nearest: Rows
    first_hit: Rows


def neighbours(queries: Features, gallery: Features) -> Neighbours:
    """Nearest gallery row and rank of the first same-class row, for each query, by cosine similarity.

    Equal similarities (to `DECIMALS`) rank in the gallery's order. Similarities are computed in float32, and again in
    float64 where float32 leaves a doubt, so the ranks are those of float64.
    """
    index = _Gallery(gallery)
    size = max(1, min(QUERIES_AT_ONCE, SIMILARITIES_AT_ONCE // len(gallery)))
    parts = [
        index.ranks(queries.values[start : start + size], queries.label[start : start + size])
        for start in range(0, len(queries), size)
    ]
    return Neighbours(
        np.concatenate([part.nearest for part in parts]), np.concatenate([part.first_hit for part in parts])
    )


def similarities(queries: NDArray[np.floating[Any]], gallery: NDArray[np.floating[Any]]) -> Floats:
    """``[Q, G]``, in float64, rounded to `DECIMALS`."""
    rows = unit(queries)
    parts = [rows @ unit(gallery[part]).T for part in _parts(len(gallery))]
    return np.asarray(np.round(np.concatenate(parts, axis=1), DECIMALS), dtype=np.float64)


def unit(values: NDArray[np.floating[Any]]) -> Floats:
    """Rows of length one in float64; a zero row stays zero: similar to nothing."""
    rows = values.astype(np.float64)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length > 0, length, 1.0), dtype=np.float64)


class _Gallery:
    """A gallery's unit rows in float32, less their mean: the closer they lie together, the smaller is the error.

    With u the mean, q g = q u + q (g - u). The first term is the same for all rows of the gallery, and in float32 the
    error of the second is at most ``(D + 4) 2^-24 |g - u|``, in whatever order it is summed (Higham, Accuracy and
    Stability of Numerical Algorithms, 2nd edition, section 3.1; two more for each rounding of q and g - u).
    """

    def __init__(self, gallery: Features) -> None:
        self.order = np.argsort(gallery.label, kind="stable")  # a class is a slice of columns
        self.values, self.label = gallery.values, gallery.label
        rows, dimensions = self.values.shape
        mean = sum((unit(self.values[part]).sum(axis=0) for part in _parts(rows)), np.zeros(dimensions)) / rows
        self.columns, radius = np.empty((dimensions, rows), np.float32), 0.0
        for part in _parts(rows):
            centred = unit(self.values[self.order[part]]) - mean
            self.columns[:, part] = centred.T
            radius = max(radius, float(np.linalg.norm(centred, axis=1).max()))
        # Of two similarities that differ by more, float32 says which one is larger.
        self.margin = np.float32(2 * ((dimensions + 4) * 2.0**-24 * radius + 10.0**-DECIMALS))

    def ranks(self, queries: Features32, label: Rows) -> Neighbours:
        """Of a block of queries ``[Q, D]``. A hit's rank is 1 + the rows before it: more similar, or equal, earlier."""
        rows, size = unit(queries), len(self.label)
        near = rows.astype(np.float32) @ self.columns
        best = self._best_of_class(near, label)[:, None]
        sure = near > best + self.margin
        doubtful = near >= best - self.margin
        doubtful ^= sure
        if np.count_nonzero(doubtful) > MOST_DOUBTFUL * doubtful.size:
            return _ranks(similarities(queries, self.values), label[:, None] == self.label)
        query, row, exact = self._exact(rows, doubtful)
        ours = self.label[row] == label[query]
        value, hit = _first_of_highest(exact[ours], query[ours], row[ours], len(queries), size)
        before = (exact > value[query]) | ((exact == value[query]) & (row < hit[query]))
        rank = 1 + np.count_nonzero(sure, axis=1) + np.bincount(query[before], minlength=len(queries))
        query, row, exact = self._exact(rows, near >= near.max(axis=1, keepdims=True) - self.margin)
        _, nearest = _first_of_highest(exact, query, row, len(queries), size)
        return Neighbours(nearest, np.where(hit < size, rank, 0))

    def _best_of_class(self, near: Features32, label: Rows) -> Features32:
        """``[Q]``: infinite for a query without a row of its class, so that it has none to look at."""
        best = np.full(len(label), np.inf, np.float32)
        first, end = (np.searchsorted(self.label[self.order], label, side) for side in ("left", "right"))
        for one in np.unique(first[first < end]):
            asked = np.flatnonzero((first == one) & (first < end))
            best[asked] = near[asked, one : end[asked[0]]].max(axis=1)
        return best

    def _exact(self, rows: Floats, chosen: NDArray[np.bool_]) -> tuple[Rows, Rows, Floats]:
        """Query, gallery row and similarity, in float64 and rounded, of the pairs chosen of a block."""
        query, column = np.divmod(np.flatnonzero(chosen), chosen.shape[1])  # of two axes, nonzero takes 5 times as long
        row, found = self.order[column], np.empty(len(query))
        for part in _parts(len(query)):
            found[part] = np.einsum("nd,nd->n", rows[query[part]], unit(self.values[row[part]]))
        return query, row, np.round(found, DECIMALS)


def _first_of_highest(values: Floats, query: Rows, row: Rows, queries: int, none: int) -> tuple[Floats, Rows]:
    """For each query its highest value, and the first row that has it; ``none`` for a query without values."""
    highest = np.full(queries, -np.inf)
    np.maximum.at(highest, query, values)
    first = np.full(queries, none, dtype=np.int64)
    chosen = values == highest[query]
    np.minimum.at(first, query[chosen], row[chosen])
    return highest, first


def _ranks(similarity: Floats, same_class: NDArray[np.bool_]) -> Neighbours:
    """Both arguments ``[Q, G]``: from all similarities in float64."""
    among_class = np.where(same_class, similarity, -np.inf)
    hit = among_class.argmax(axis=1)
    best = among_class.max(axis=1, keepdims=True)
    earlier = np.arange(similarity.shape[1]) < hit[:, None]
    before = (similarity > best) | ((similarity == best) & earlier)
    first_hit = np.where(same_class.any(axis=1), before.sum(axis=1) + 1, 0)
    return Neighbours(similarity.argmax(axis=1).astype(np.int64), first_hit.astype(np.int64))


def _parts(rows: int) -> Iterator[slice]:
    return (slice(start, start + ROWS_AT_ONCE) for start in range(0, rows, ROWS_AT_ONCE))
