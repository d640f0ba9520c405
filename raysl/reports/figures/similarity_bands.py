"""Similarity of clips over their distance, and over augmentation in time, with the spread of videos (SSTL's Figures 1
and 2 (b)).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from raysl.reports.axes import MEASURED_AT
from raysl.reports.figure import LIGHT, Figure, FigureInput, look, rows_drawn, shortened, tidy
from raysl.reports.input import EvaluationRecord, RowInput

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("panel", "unit", "axis", "row", "x", "seeds", "value", "low", "high")


def table(source: FigureInput) -> pd.DataFrame:
    """For each row and number after an @ the mean over videos, and the interval with 95 % of them.

    All three are means over seeds.
    """
    lines = [line for row in source.table.source.rows for line in _row(row)]
    found = tidy(lines, COLUMNS)
    return found.sort_values("panel", kind="stable", ignore_index=True)


def _row(row: RowInput) -> Iterator[dict[str, Any]]:
    for label, found in row.records.items():
        known = [record for record in found if "band" in record.details]
        metrics = dict.fromkeys(metric for record in known for metric in record.details["band"])
        for metric in metrics:
            name, at, number = metric.partition("@")
            if at:
                head = {"panel": f"{label} {name}", "unit": "cosine × 100", "axis": MEASURED_AT.get(name, name)}
                yield {**head, "row": row.name, "x": float(number), **_mean(known, metric)}


def _mean(records: list[EvaluationRecord], metric: str) -> dict[str, Any]:
    own = [(one.metrics[metric], *one.details["band"][metric]) for one in records if metric in one.details["band"]]
    value, low, high = np.mean(own, axis=0).tolist()
    return {"seeds": len(own), "value": value, "low": low, "high": high}


def draw(data: pd.DataFrame, axes: Axes) -> None:
    for position, row in enumerate(rows_drawn(data)):
        colour, marker, dashes = look(position)
        own = data[data["row"] == row].sort_values("x")
        axes.plot(own["x"], own["value"], color=colour, marker=marker, linestyle=dashes, label=shortened(row))
        axes.fill_between(own["x"], own["low"], own["high"], color=colour, alpha=0.12, linewidth=0)
    axes.set_xlabel(str(data["axis"].iloc[0]))
    axes.set_ylabel(str(data["unit"].iloc[0]))
    axes.grid(axis="y", color=LIGHT, linewidth=0.4)


def size(data: pd.DataFrame) -> tuple[float, float]:
    return 4.4, 3.0


FIGURE = Figure(
    title="Similarity in time, with the spread of videos",
    caption=(
        "Lines: means over videos of the similarity of two clips of one, each at the upper end of its bin; bands: "
        "between which 95 % of the videos lie; all of them means over seeds."
    ),
    table=table,
    draw=draw,
    size=size,
    order=76,
)
