"""Training curves as small SVG paths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from raysl.reports.curves import MONITOR, POINTS, CellCurves

WIDTH, HEIGHT = 240, 80
"""Size of a chart, in units of its view box."""
LEAST_POINTS = 12
BUDGET, POINT_BYTES = 600_000, 5
"""Bytes of all lines together, and of a point of a line."""
LEARNING_RATE = "learning rate"
CHARTS = (
    ("loss", ("loss/",), ()),
    ("accuracy and majority rate", ("metric/",), ("accuracy", "majority", "knn")),
    (LEARNING_RATE, ("optimizer/learning_rate",), ()),
    ("share right by nearest training videos", (f"{MONITOR}knn_accuracy",), ()),
    ("spread of features", (f"{MONITOR}spread",), ()),
    ("RankMe of features", (f"{MONITOR}rankme",), ()),
)
"""Title, prefixes of the columns to draw, and their suffix (any if empty)."""


@dataclass(frozen=True)
class Line:
    """A curve, or several that coincide: its name or theirs, its path, and its last value as text."""

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


def charts(curves: CellCurves | None, points: int = POINTS) -> tuple[Chart, ...]:
    """The `CHARTS` for which there are curves.

    Args:
        points: of a line, at most.
    """
    if curves is None or len(curves.steps) < 2:
        return ()
    width = curves.width_for(points)
    curves = curves.thinned(width)
    found = (_chart(title, curves, _drawn(curves, beginnings, ends), width) for title, beginnings, ends in CHARTS)
    return tuple(chart for chart in found if chart is not None)


def points_for(cells: Iterable[CellCurves | None]) -> int:
    """How many points a line may have, so that the lines of all cells together stay below a megabyte."""
    lines = sum(len(_drawn(curves, *one)) for curves in cells if curves is not None for _, *one in CHARTS)
    return max(LEAST_POINTS, min(POINTS, BUDGET // (max(1, lines) * POINT_BYTES)))


def _drawn(curves: CellCurves, beginnings: tuple[str, ...], ends: tuple[str, ...]) -> list[int]:
    """Positions of names."""
    names = enumerate(curves.names)
    return [at for at, name in names if name.startswith(beginnings) and (not ends or name.endswith(ends))]


def _chart(title: str, curves: CellCurves, drawn: Sequence[int], width: int) -> Chart | None:
    steps, values = curves.steps, curves.values[:, drawn]
    known = np.isfinite(values)
    if not known.any():
        return None
    low, high = float(values[known].min()), float(values[known].max())
    across = np.rint((steps - steps[0]) / max(steps[-1] - steps[0], 1) * WIDTH)
    down = np.rint(HEIGHT - (np.where(known, values, low) - low) / (high - low or 1.0) * HEIGHT)
    lines: dict[tuple[str, str], str] = {}
    for column, at in enumerate(drawn):
        own = known[:, column]
        if own.any():
            name = curves.names[at].partition("/")[2]
            gaps = np.zeros(own.sum(), dtype=bool) if curves.names[at].startswith(MONITOR) else ~own
            path = _path(across[own].astype(int), down[own, column].astype(int), gaps)
            drawn_as = path, f"{values[own, column][-1]:.3g}"
            # The total of a single term is that term: two lines would coincide.
            lines[drawn_as] = f"{lines[drawn_as]}, {name}" if drawn_as in lines else name
    shown = tuple(Line(name, path, last) for (path, last), name in lines.items())
    return Chart(title, shown, f"{low:.3g}", f"{high:.3g}", int(steps[-1]), width)


def _path(across: NDArray[np.int64], down: NDArray[np.int64], missing: NDArray[np.bool_]) -> str:
    """``M0 40l4-3 4 1``: whole units, each point relative to the one before; a gap for a missing value.

    Args:
        across, down: of the points that are known.
        missing: of all points.
    """
    after_gap = np.diff(np.flatnonzero(~missing), prepend=-1) > 1
    after_gap[0] = True
    moves = zip(np.diff(across, prepend=0).tolist(), np.diff(down, prepend=0).tolist(), strict=True)
    path = ""
    for (right, lower), starts, x, y in zip(moves, after_gap.tolist(), across.tolist(), down.tolist(), strict=True):
        path += f"M{x} {y}" if starts else f"l{right} {lower}"
    return path.replace(" -", "-")
