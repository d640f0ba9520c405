"""Training curves as small SVG paths."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

WIDTH, HEIGHT = 240, 80
"""Of a chart, in units of its view box."""
MOST_POINTS, LEAST_POINTS = 60, 12
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
        mean_over: how many logged steps each point is the mean of.
    """

    title: str
    lines: tuple[Line, ...]
    low: str
    high: str
    steps: int
    mean_over: int


def charts(curves: pd.DataFrame | None, points: int = MOST_POINTS) -> tuple[Chart, ...]:
    """Those of `CHARTS` that the curves have anything of.

    Args:
        points: of a line, at most.
    """
    if curves is None or "step" not in curves or len(curves) < 2:
        return ()
    found = []
    for title, beginnings, ends in CHARTS:
        chart = _chart(title, curves, _drawn(curves, beginnings, ends), points)
        if chart is not None:
            found.append(chart)
    return tuple(found)


def points_for(cells: Iterable[pd.DataFrame | None]) -> int:
    """How many points a line may have, so that the lines of all cells together stay below a megabyte."""
    lines = sum(len(_drawn(curves, *one)) for curves in cells if curves is not None for _, *one in CHARTS)
    return max(LEAST_POINTS, min(MOST_POINTS, BUDGET // (max(1, lines) * POINT_BYTES)))


def _drawn(curves: pd.DataFrame, beginnings: tuple[str, ...], ends: tuple[str, ...]) -> list[str]:
    names = map(str, curves.columns)
    return [name for name in names if name.startswith(beginnings) and (not ends or name.endswith(ends))]


def _chart(title: str, curves: pd.DataFrame, names: Sequence[str], points: int) -> Chart | None:
    count = min(points, len(curves))
    starts = np.linspace(0, len(curves), count, endpoint=False).astype(int)
    steps = _means(curves["step"], starts)
    means = {name: _means(curves[name], starts) for name in names}
    means = {name: values for name, values in means.items() if np.isfinite(values).any()}
    if not means:
        return None
    known = np.concatenate([values[np.isfinite(values)] for values in means.values()])
    low, high = float(known.min()), float(known.max())
    across = (steps - steps[0]) / max(steps[-1] - steps[0], 1) * WIDTH
    lines = []
    for name, values in means.items():
        down = HEIGHT - (values - low) / (high - low or 1.0) * HEIGHT
        last = values[np.isfinite(values)][-1]
        lines.append(Line(name.partition("/")[2] or name, _path(across, down), f"{last:.3g}"))
    largest = -(-len(curves) // count)
    return Chart(title, tuple(lines), f"{low:.3g}", f"{high:.3g}", int(curves["step"].iloc[-1]), largest)


def _means(values: pd.Series[float], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of the known values from each start to the next; NaN where there are none."""
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(float)
    known = np.isfinite(numbers)
    counts = np.add.reduceat(known.astype(float), starts)
    sums = np.add.reduceat(np.where(known, numbers, 0.0), starts)
    means: NDArray[np.float64] = np.divide(sums, counts, out=np.full(len(starts), np.nan), where=counts > 0)
    return means


def _path(across: NDArray[np.float64], down: NDArray[np.float64]) -> str:
    """``M0 40l4-3 4 1``: whole units, each point relative to the one before; a gap where a value is missing."""
    path, before = "", None
    for x, y in zip(across, down, strict=True):
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
