"""Nearest-neighbour retrieval: test videos as queries, training videos as the gallery, cosine similarity of features.

R@k is the share of queries with a video of the same class among the k nearest (VCOP; TCLR and CSTP report it so).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, field_validator

from raysl.config.cell import CellConfig
from raysl.config.component import Component
from raysl.config.options import option
from raysl.errors import DataError
from raysl.evaluation.against_data import LabelledSplits
from raysl.evaluation.feature_protocol import FeatureOptions, FeatureProtocol
from raysl.evaluation.protocol import EvaluationResult, Features, percent, prediction_table

QUERIES_AT_ONCE = 256
EXAMPLES, NEAREST = 5, 5
"""Queries that are kept with their nearest videos, and how many of these."""
DECIMALS = 10
"""Similarities are rounded to this: equal features tie, whatever the order in which a product was summed."""

Floats = NDArray[np.float64]


class RetrievalOptions(FeatureOptions):
    """Options of retrieval."""

    k: tuple[Annotated[int, Field(ge=1, le=10**8)], ...] = option(
        (1, 5, 10, 20, 50),
        doc="sizes of the lists that are searched for a video of the query's class; the first is the headline",
        unit="videos",
        source="[P] SSTL, CSTP; TCLR has no 50",
        min_length=1,
    )

    @field_validator("k")
    @classmethod
    def _increasing(cls, k: tuple[int, ...]) -> tuple[int, ...]:
        if list(k) != sorted(set(k)):
            raise ValueError(f"k must increase: {list(k)}")
        return k


@dataclass(frozen=True)
class Neighbours:
    """Per query. Attributes: nearest: gallery row. first_hit: rank from 1 of the first same-class video, 0: none."""

    nearest: NDArray[np.int64]
    first_hit: NDArray[np.int64]


class Retrieval(FeatureProtocol):
    """R@k of test queries in the training gallery; equal similarities rank in the gallery's order."""

    def __init__(self, options: RetrievalOptions) -> None:
        self.options = options

    def measure(self, train: Features, test: Features, classes: tuple[str, ...], seed: int) -> EvaluationResult:
        """Metrics ``R@k``; predictions add ``nearest`` (path) and ``first_hit`` (rank, missing where there is none).

        Raises:
            DataError: the gallery is smaller than the smallest k.
        """
        _check_gallery(self.options, len(train))
        sizes = [k for k in self.options.k if k <= len(train)]
        found = neighbours(test, train)
        hit = found.first_hit > 0
        predictions = prediction_table(
            test,
            hit & (found.first_hit <= sizes[0]),
            nearest=[train.path[row] for row in found.nearest],
            first_hit=pd.arrays.IntegerArray(found.first_hit.copy(), ~hit),
        )
        details: dict[str, object] = {
            "examples": examples(test, train, classes),
            "gallery": len(train),
            "k_left_out": [k for k in self.options.k if k > len(train)],
            "queries_without_a_video_of_their_class": int((~hit).sum()),
            "zero_features": int((~test.values.any(axis=1)).sum() + (~train.values.any(axis=1)).sum()),
        }
        metrics = {f"R@{k}": percent(hit & (found.first_hit <= k)) for k in sizes}
        return EvaluationResult(metrics, predictions, details)


def neighbours(queries: Features, gallery: Features) -> Neighbours:
    """Nearest gallery row and rank of the first same-class row, for each query, by cosine similarity."""
    columns = unit(gallery.values).T
    rows = unit(queries.values)
    parts = [
        _ranks(
            np.round(rows[start : start + QUERIES_AT_ONCE] @ columns, DECIMALS),
            queries.label[start : start + QUERIES_AT_ONCE, None] == gallery.label,
        )
        for start in range(0, len(queries), QUERIES_AT_ONCE)
    ]
    return Neighbours(
        np.concatenate([part.nearest for part in parts]), np.concatenate([part.first_hit for part in parts])
    )


def examples(queries: Features, gallery: Features, classes: tuple[str, ...]) -> list[dict[str, object]]:
    """A few queries, the same for every network, with their nearest videos and the classes of all: to look at."""
    rows = np.unique(np.linspace(0, len(queries) - 1, EXAMPLES).astype(np.int64))
    similarity = np.round(unit(queries.values[rows]) @ unit(gallery.values).T, DECIMALS)
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :NEAREST]
    return [
        {
            "query": queries.path[row],
            "class": classes[queries.label[row]],
            "nearest": [gallery.path[other] for other in found],
            "classes": [classes[gallery.label[other]] for other in found],
        }
        for row, found in zip(rows.tolist(), nearest.tolist(), strict=True)
    ]


def _ranks(similarity: Floats, same_class: NDArray[np.bool_]) -> Neighbours:
    """Both arguments ``[Q, G]``. A hit's rank is 1 + the rows before it: more similar, or equal and earlier."""
    among_class = np.where(same_class, similarity, -np.inf)
    hit = among_class.argmax(axis=1)
    best = among_class.max(axis=1, keepdims=True)
    earlier = np.arange(similarity.shape[1]) < hit[:, None]
    before = (similarity > best) | ((similarity == best) & earlier)
    first_hit = np.where(same_class.any(axis=1), before.sum(axis=1) + 1, 0)
    return Neighbours(similarity.argmax(axis=1).astype(np.int64), first_hit.astype(np.int64))


def unit(values: NDArray[np.floating[Any]]) -> Floats:
    """Rows of length one in float64; a zero row stays zero: similar to nothing."""
    rows = values.astype(np.float64)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length > 0, length, 1.0), dtype=np.float64)


def _check_gallery(options: RetrievalOptions, videos: int) -> None:
    if options.k[0] > videos:
        raise DataError(
            f"a gallery of {videos} training videos is smaller than the smallest k of retrieval, {options.k[0]}: set a "
            "smaller protocol option k"
        )


def _check_data(options: RetrievalOptions, cell: CellConfig, splits: LabelledSplits) -> None:
    _check_gallery(options, len(splits.train))


def _on_few(options: RetrievalOptions, videos: int) -> RetrievalOptions:
    return options.model_copy(update={"k": tuple(k for k in options.k if k <= videos) or (1,)})


def _metrics(options: RetrievalOptions) -> tuple[str, ...]:
    """A list longer than the gallery has none."""
    return tuple(f"R@{k}" for k in options.k)


COMPONENT = Component(
    kind="protocol",
    options=RetrievalOptions,
    build=Retrieval,
    metrics=_metrics,
    check_data=_check_data,
    on_few=_on_few,
    trivial=True,
)
