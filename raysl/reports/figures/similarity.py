"""Similarity of two clips of one video, and of clips of two videos: histograms of cosines (SSTL's Figure 2 (a))."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from raysl.reports.figure import COLOURS, LIGHT, Figure, FigureInput, tidy
from raysl.reports.input import RowInput

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("panel", "unit", "row", "kind", "left", "right", "seeds", "value", "low", "high")
KINDS = {"within": "two clips of one video", "between": "clips of two videos"}
"""Name of a histogram in the details of the protocol ``similarity``, and in the figure."""


def table(source: FigureInput) -> pd.DataFrame:
    """A line for each bin with a pair: its share of all pairs, as mean over seeds, lowest and highest."""
    lines = [line for row in source.table.source.rows for line in _row(row)]
    return tidy(lines, COLUMNS)


def _row(row: RowInput) -> Iterator[dict[str, Any]]:
    for label, found in row.records.items():
        histograms = [record.details["histogram"] for record in found if "histogram" in record.details]
        if histograms:
            for kind in KINDS:
                head = {"panel": f"{row.name}, {label}", "unit": "%", "row": row.name, "kind": kind}
                yield from (head | line for line in _bins(kind, histograms))


def _bins(kind: str, histograms: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    edges = histograms[0]["edges"]
    counts = np.array([one[kind] for one in histograms if one["edges"] == edges], dtype=np.float64)
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    for at in np.flatnonzero(shares.any(axis=0)):
        own = shares[:, at]
        bounds = {"left": edges[at], "right": edges[at + 1], "seeds": len(own)}
        yield bounds | {"value": own.mean(), "low": own.min(), "high": own.max()}


def draw(data: pd.DataFrame, axes: Axes) -> None:
    for position, (kind, label) in enumerate(KINDS.items()):
        own = data[data["kind"] == kind]
        colour = COLOURS[position]
        style: dict[str, Any] = {"fill": True, "facecolor": f"{colour}40", "edgecolor": colour, "linewidth": 1.2}
        if position:
            style |= {"facecolor": "none", "hatch": "////", "linestyle": (0, (4, 1.5))}
        if len(own):
            axes.stairs(*_stairs(own), label=label, **style)
    axes.set_xlabel("cosine of two clips' features × 100")
    axes.set_ylabel("share of pairs (%)")
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color=LIGHT, linewidth=0.4)
    axes.set_axisbelow(True)


def _stairs(lines: pd.DataFrame) -> tuple[list[float], list[float]]:
    """Heights and edges, including bins without a pair, which the table lacks."""
    heights: list[float] = []
    edges: list[float] = [float(lines["left"].iloc[0])]
    for left, right, value in zip(lines["left"], lines["right"], lines["value"], strict=True):
        if left > edges[-1]:
            heights.append(0.0)
            edges.append(float(left))
        heights.append(float(value))
        edges.append(float(right))
    return heights, edges


def size(data: pd.DataFrame) -> tuple[float, float]:
    return 3.6, 2.5


FIGURE = Figure(
    title="Similarity within videos and between them",
    caption=(
        "Histograms of the cosines of pooled features, all pairs of each kind together 100 %; means over seeds. The "
        "less the two overlap, the better a video is told from others by one of its clips."
    ),
    table=table,
    draw=draw,
    size=size,
    beside=3,
    order=75,
)
