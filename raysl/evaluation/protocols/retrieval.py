"""Nearest-neighbour retrieval: test videos as queries, training videos as the gallery, cosine similarity of features.

R@k is the share of queries with a video of the same class among the k nearest (VCOP; TCLR and CSTP report it so). SSTL
retrieves clips with each clip as a query, by the output of its last fully-connected layer (``level: clip``,
``features: projection``).
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from raysl.config.cell import CellConfig
from raysl.config.component import Component
from raysl.config.options import option
from raysl.errors import ConfigError, DataError
from raysl.evaluation.against_data import LabelledSplits
from raysl.evaluation.feature_protocol import NO_PROJECTOR, FeatureOptions, FeatureProtocol, one_row_each
from raysl.evaluation.neighbours import DECIMALS, neighbours, similarities, unit
from raysl.evaluation.protocol import EvaluationResult, Features, percent, prediction_table

EXAMPLES, NEAREST = 5, 5
"""Queries that are kept with their nearest videos, and how many of these."""


class RetrievalOptions(FeatureOptions):
    """Options of retrieval."""

    k: tuple[Annotated[int, Field(ge=1, le=10**8)], ...] = option(
        (1, 5, 10, 20, 50),
        doc="list lengths; a list counts if it has one of the query's class; the first is the headline",
        unit="videos, or clips where level is clip",
        source="printed: SSTL, CSTP; TCLR has no 50",
        min_length=1,
    )
    level: Literal["video", "clip"] = option(
        "video",
        doc="queries and gallery: videos, by the mean of their clips; or single clips",
        source="printed: SSTL: clip; TCLR, CSTP: video",
    )
    features: Literal["backbone", "projection"] = option(
        "backbone",
        doc="what is read: the backbone's pooled output, or the projector's, which needs one that was trained; of "
        "random weights the backbone's in any case (inferred)",
        source="printed: SSTL: projection (its last fully-connected layer); TCLR: backbone",
    )

    @property
    def each_clip(self) -> bool:
        return self.level == "clip"

    @property
    def projected(self) -> bool:
        return self.features == "projection"

    def items_of(self, split: str, videos: int) -> int:
        """How many videos, or clips, of a split are queries or gallery."""
        return videos * self.clips_of(split) if self.each_clip else videos

    @model_validator(mode="after")
    def _nothing_without_effect(self) -> RetrievalOptions:
        if self.projected and self.pool == "space":
            raise ValueError(
                "pool: space keeps time steps, and the projector takes one feature of a clip: leave one out"
            )
        if self.each_clip and self.normalize_clips:
            raise ValueError("normalize_clips: true changes nothing with level: clip: no mean is taken over clips")
        return self

    @field_validator("k")
    @classmethod
    def _increasing(cls, k: tuple[int, ...]) -> tuple[int, ...]:
        if list(k) != sorted(set(k)):
            raise ValueError(f"k must increase: {list(k)}")
        return k


class Retrieval(FeatureProtocol):
    """R@k of test queries in the training gallery; equal similarities rank in the gallery's order."""

    def __init__(self, options: RetrievalOptions) -> None:
        self.options = options
        self.reads = "network" if options.projected else "features"

    def measure(self, train: Features, test: Features, classes: tuple[str, ...], seed: int) -> EvaluationResult:
        """Metrics ``R@k``; predictions add ``nearest`` (path) and ``first_hit`` (rank, missing if there is none).

        With ``level: clip``, ``correct`` is the share of a video's clips, and those two are of its middle clip.

        Raises:
            DataError: the gallery is smaller than the smallest k.
        """
        import pandas as pd

        _check_gallery(self.options, len(train))
        sizes = [k for k in self.options.k if k <= len(train)]
        found = neighbours(test, train)
        hit = found.first_hit > 0
        correct = hit & (found.first_hit <= sizes[0])
        if self.options.each_clip:
            clips = self.options.clips
            shown = slice(clips // 2, None, clips)
            first_hit, none = found.first_hit[shown], ~hit[shown]
            videos, right = one_row_each(test), correct.reshape(-1, clips).mean(axis=1)
        else:
            shown, first_hit, none, videos, right = slice(None), found.first_hit.copy(), ~hit, test, correct
        predictions = prediction_table(
            videos,
            right,
            nearest=[train.path[row] for row in found.nearest[shown]],
            first_hit=pd.arrays.IntegerArray(first_hit, none),
        )
        details: dict[str, object] = {
            "examples": examples(test, train, classes),
            "gallery": len(train),
            "k_left_out": [k for k in self.options.k if k > len(train)],
            **({"queries": len(test)} if self.options.each_clip else {}),
            "queries_without_a_video_of_their_class": int((~hit).sum()),
            "zero_features": int((~test.values.any(axis=1)).sum() + (~train.values.any(axis=1)).sum()),
        }
        metrics = {f"R@{k}": percent(hit & (found.first_hit <= k)) for k in sizes}
        return EvaluationResult(metrics, predictions, details)


def examples(queries: Features, gallery: Features, classes: tuple[str, ...]) -> list[dict[str, object]]:
    """A few queries, the same for every network, with their nearest videos and the classes of all, for pictures."""
    rows = np.unique(np.linspace(0, len(queries) - 1, EXAMPLES).astype(np.int64))
    similarity = similarities(queries.values[rows], gallery.values)
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


def nearest_mean(train: Features, test: Features) -> NDArray[np.int64]:
    """``[N]``: for each test video the class with the nearest mean of training videos, by cosine.

    Means are of features at unit length. Equal similarities, and features of zero length, go to the first class.
    """
    taught, position = np.unique(train.label, return_inverse=True)
    means = np.zeros((len(taught), train.values.shape[1]))
    np.add.at(means, position, unit(train.values))
    similarity = np.round(unit(test.values) @ unit(means).T, DECIMALS)
    return np.asarray(taught[similarity.argmax(axis=1)], dtype=np.int64)


def _check_gallery(options: RetrievalOptions, size: int) -> None:
    if options.k[0] > size:
        raise DataError(
            f"a gallery of {size} training {options.level}s is smaller than the smallest k of retrieval, "
            f"{options.k[0]}: set a smaller protocol option k"
        )


def _check(options: RetrievalOptions, cell: CellConfig) -> None:
    """Random weights have no projector, and their features are read directly; any other cell must have one."""
    own = getattr(getattr(cell.objective.contrastive, "options", None), "projector", None)
    trained = cell.pretraining == "self_supervised" and (own is not None or cell.objective.projector is not None)
    if options.projected and cell.pretraining != "none" and not trained:
        raise ConfigError(f"retrieval: {NO_PROJECTOR}")


def _check_data(options: RetrievalOptions, cell: CellConfig, splits: LabelledSplits) -> None:
    _check_gallery(options, options.items_of("train", len(splits.train)))


def _on_few(options: RetrievalOptions, videos: int) -> RetrievalOptions:
    most = options.items_of("train", videos)
    return options.model_copy(update={"k": tuple(k for k in options.k if k <= most) or (1,)})


def _metrics(options: RetrievalOptions) -> tuple[str, ...]:
    """A list longer than the gallery has no metric."""
    return tuple(f"R@{k}" for k in options.k)


COMPONENT = Component(
    kind="protocol",
    options=RetrievalOptions,
    build=Retrieval,
    check=_check,
    metrics=_metrics,
    check_data=_check_data,
    on_few=_on_few,
    trivial=True,
)
