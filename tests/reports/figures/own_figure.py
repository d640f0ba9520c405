"""A figure as a lab's own package has one: not in raysl, found by its import path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from raysl.reports.figure import Figure, FigureInput, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def table(source: FigureInput) -> pd.DataFrame:
    rows = len(source.table.rows)
    return tidy([{"panel": "all", "rows": rows}] if rows else [], ("panel", "rows"))


def draw(data: pd.DataFrame, axes: Axes) -> None:
    axes.bar([0], data["rows"])


def size(data: pd.DataFrame) -> tuple[float, float]:
    return 2.0, 2.0


FIGURE = Figure(title="How many rows", caption="One bar.", table=table, draw=draw, size=size, order=0)
