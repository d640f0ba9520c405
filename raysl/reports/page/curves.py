"""Training curves as small SVG paths."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from raysl.reports.curves import POINTS, thinned, width_for

WIDTH, HEIGHT = 240, 80
"""Of a chart, in units of its view box."""
LEAST_POINTS = 12
BUDGET, POINT_BYTES = 600_000, 5
"""Bytes of all lines together, and of a point of a line."""
LEARNING_RATE = "learning rate"
CHARTS = (
    ("loss", ("loss/",), ()),
    ("accuracy and majority rate", ("metric/",), ("accuracy", "majority", "knn")),
    (LEARNING_RATE, ("optimizer/learning_rate",), ()),
)
"""Title, beginnings of the columns that are drawn, and how they end (any where there is none)."""


@dataclass(frozen=True)
class Line:
    """One curve: its name, its path, and its last value as text."""

    name: str
    path: str
    last: str


@dataclass(frozen=True)
class Chart:
    """Curves on common axes.

    Attributes:
        low, high: ends of the vertical axis, as text.
        steps: the last step.
        mean_over: how many steps each point is the mean of.
    """

    title: str
    lines: tuple[Line, ...]
    low: str
    high: str
    steps: int
    mean_over: int


def charts(curves: pd.DataFrame | None, points: int = POINTS) -> tuple[Chart, ...]:
    """Those of `CHARTS` that the curves have anything of.

    Args:
        curves: as `raysl.reports.curves.CurveReader` gives them.
        points: of a line, at most.
    """
    if curves is None or len(curves) < 2:
        return ()
    width = width_for(curves, points)
    curves = thinned(curves, width)
    found = (_chart(title, curves, _drawn(curves, beginnings, ends), width) for title, beginnings, ends in CHARTS)
    return tuple(chart for chart in found if chart is not None)


def points_for(cells: Iterable[pd.DataFrame | None]) -> int:
    """How many points a line may have, so that the lines of all cells together stay below a megabyte."""
    lines = sum(len(_drawn(curves, *one)) for curves in cells if curves is not None for _, *one in CHARTS)
    return max(LEAST_POINTS, min(POINTS, BUDGET // (max(1, lines) * POINT_BYTES)))


def _drawn(curves: pd.DataFrame, beginnings: tuple[str, ...], ends: tuple[str, ...]) -> list[str]:
    names = map(str, curves.columns)
    return [name for name in names if name.startswith(beginnings) and (not ends or name.endswith(ends))]


def _chart(title: str, curves: pd.DataFrame, names: Sequence[str], width: int) -> Chart | None:
    steps, values = curves["step"].to_numpy(np.float64), curves[list(names)].to_numpy(np.float64)
    known = np.isfinite(values)
    if not known.any():
        return None
    low, high = float(values[known].min()), float(values[known].max())
    across = (steps - steps[0]) / max(steps[-1] - steps[0], 1) * WIDTH
    down = HEIGHT - (values - low) / (high - low or 1.0) * HEIGHT
    lines = [
        Line(name.partition("/")[2] or name, _path(across, down[:, number]), f"{values[own, number][-1]:.3g}")
        for number, name in enumerate(names)
        if (own := known[:, number]).any()
    ]
    return Chart(title, tuple(lines), f"{low:.3g}", f"{high:.3g}", int(steps[-1]), width)


def _path(across: NDArray[np.float64], down: NDArray[np.float64]) -> str:
    """``M0 40l4-3 4 1``: whole units, each point relative to the one before; a gap where a value is missing."""
    path, before = "", None
    for x, y in zip(across.tolist(), down.tolist(), strict=True):
        if not math.isfinite(y):
            before = None
            continue
        point = round(x), round(y)
        if before is None:
            path += f"M{point[0]} {point[1]}"
        else:
            path += f"l{point[0] - before[0]} {point[1] - before[1]}"
        before = point
    return path.replace(" -", "-")
