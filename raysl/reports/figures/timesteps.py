"""Similarity of the time steps of one clip: a small matrix for each row (TCLR's Figure 13)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from raysl.reports.figure import Figure, FigureInput, lines_of, tidy
from raysl.reports.figures.heat_map import shaded
from raysl.reports.input import RowInput

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("panel", "unit", "row", "first", "second", "seeds", "value", "low", "high")


def table(source: FigureInput) -> pd.DataFrame:
    """A line for each pair of time steps, from 1: the mean over seeds, and the lowest and highest seed's."""
    return tidy((line for row in source.table.source.rows for line in _row(row)), COLUMNS)


def _row(row: RowInput) -> Iterator[dict[str, Any]]:
    for label, found in row.records.items():
        own = [np.array(record.details["timesteps"]) for record in found if "timesteps" in record.details]
        if own:
            matrices = np.stack(own)
            head = {"panel": f"{row.name}, {label}", "unit": "cosine × 100", "row": row.name, "seeds": len(own)}
            for first, second in np.ndindex(*matrices.shape[1:]):
                at = matrices[:, first, second]
                numbers = {"value": at.mean(), "low": at.min(), "high": at.max()}
                yield {**head, "first": first + 1, "second": second + 1, **numbers}


def draw(data: pd.DataFrame, axes: Axes) -> None:
    steps = int(data["first"].max())
    values = np.full((steps, steps), np.nan)
    for line in lines_of(data):
        values[line.first - 1, line.second - 1] = line.value
    texts = {(int(y), int(x)): f"{values[y, x]:.0f}" for y, x in np.argwhere(np.isfinite(values))}
    shaded(axes, values, texts, str(data["unit"].iloc[0]), (min(0.0, float(np.nanmin(values))), 100.0))
    names = [str(step + 1) for step in range(steps)]
    axes.set_xticks(range(steps), names)
    axes.set_yticks(range(steps), names)
    axes.set_xlabel("time step")
    axes.set_ylabel("time step")


def size(data: pd.DataFrame) -> tuple[float, float]:
    steps = int(data["first"].max())
    return 1.9 + 0.25 * steps, 1.2 + 0.25 * steps


FIGURE = Figure(
    title="Similarity of the time steps of a clip",
    caption=(
        "Cosines of the last feature map's time steps, averaged over space; means over videos and seeds. The lower two "
        "steps are, the more the network tells apart within a clip."
    ),
    table=table,
    draw=draw,
    size=size,
    beside=3,
    most_panels=9,
    order=77,
)
