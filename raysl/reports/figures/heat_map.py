"""A grid of two axes as a heat map; of more axes one for each value of the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from raysl.reports.figure import MOST_ROWS, Figure, FigureInput, lines_of, shortened, tidy
from raysl.reports.figures.intervals import unit_of
from raysl.reports.text import sample_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("panel", "unit", "x_axis", "x", "y_axis", "y", "row", "value", "low", "high", "n", "text", "note")


def table(source: FigureInput) -> pd.DataFrame:
    """A line per row of the grid; one without a value is a hole, with its reason."""
    lines = list(_lines(source)) if source.levels else []
    return tidy(lines, COLUMNS)


def _lines(source: FigureInput) -> Iterator[dict[str, Any]]:
    levels = [level for level in source.levels.values() if len(level) > 1]
    axes = dict.fromkeys(axis for level in levels for axis in level)
    counts = {axis: len({level[axis] for level in levels}) for axis in axes}
    longest = sorted((axis for axis in axes if counts[axis] > 1), key=lambda axis: -counts[axis])[:2]
    if len(longest) < 2:
        return
    y, x = (axis for axis in axes if axis in longest)
    for position in source.table.shown:
        column = source.table.source.columns[position]
        for row in source.table.rows:
            if (level := source.levels.get(row.name)) is None:
                continue
            entry = row.entries[position]
            others = [level[axis] for axis in axes if axis not in longest]
            sample = entry.sample
            yield {
                "panel": ", ".join([column.heading, *others]),
                "unit": unit_of(source.table, column),
                **{"x_axis": x, "x": level[x], "y_axis": y, "y": level[y], "row": row.name},
                **{"value": sample.mean, "low": sample.low, "high": sample.high, "n": len(sample.values)},
                "text": sample_text(sample),
                "note": " | ".join(entry.holes),
            }


def draw(data: pd.DataFrame, axes: Axes) -> None:
    xs, ys = _ends(data["x"]), _ends(data["y"])
    values = np.full((len(ys), len(xs)), np.nan)
    texts = {}
    for line in lines_of(data[data["x"].isin(xs) & data["y"].isin(ys)]):
        at = ys.index(line.y), xs.index(line.x)
        values[at], texts[at] = line.value, line.text
    shaded(axes, values, {at: text.replace(" (", "\n(") for at, text in texts.items()}, str(data["unit"].iloc[0]))
    axes.set_xticks(range(len(xs)), [shortened(name, 14, 3) for name in xs])
    axes.set_yticks(range(len(ys)), [shortened(name, 24) for name in ys])
    axes.set_xlabel(shortened(data["x_axis"].iloc[0], 60, 1))
    axes.set_ylabel(shortened(data["y_axis"].iloc[0], 40, 1))


def _ends(names: pd.Series[Any]) -> list[str]:
    return list(dict.fromkeys(names))[:MOST_ROWS]


def shaded(
    axes: Axes,
    values: np.ndarray[Any, Any],
    texts: dict[tuple[int, int], str],
    unit: str,
    bounds: tuple[float, float] | None = None,
) -> None:
    """A field for each value, hatched if there is none, with its text in black or white, whichever is readable.

    Args:
        values: ``[y, x]``, the first line on top.
        bounds: of the colours; None for those of the values.
    """
    known = values[np.isfinite(values)]
    low, high = bounds or ((known.min(), known.max()) if known.size else (0.0, 0.0))
    axes.set_facecolor("white")
    shape = values.shape
    axes.fill_between(
        [-0.5, shape[1] - 0.5], -0.5, shape[0] - 0.5, hatch="////", facecolor="white", edgecolor="#bbbbbb"
    )
    edges = [np.arange(count + 1) - 0.5 for count in shape]
    mesh = axes.pcolormesh(
        edges[1],
        edges[0],
        np.ma.masked_invalid(values),
        cmap="cividis",
        vmin=low,
        vmax=high,
        edgecolors="white",
        linewidth=0.5,
    )
    axes.set_xlim(-0.5, shape[1] - 0.5)
    axes.set_ylim(shape[0] - 0.5, -0.5)
    for (y, x), text in texts.items():
        rgb = mesh.cmap(mesh.norm(values[y, x])) if np.isfinite(values[y, x]) else (1.0, 1.0, 1.0)
        axes.text(x, y, text, ha="center", va="center", fontsize=6, color=_readable(rgb))
    if low < high:
        axes.figure.colorbar(mesh, ax=axes, label=unit, pad=0.02, aspect=max(30, 3 * shape[0]))


def _readable(rgb: Any) -> str:
    return "black" if 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2] > 0.5 else "white"


def size(data: pd.DataFrame) -> tuple[float, float]:
    return 2.4 + 0.85 * len(_ends(data["x"])), 1.1 + 0.42 * len(_ends(data["y"]))


FIGURE = Figure(
    title="The grid as a heat map",
    caption=(
        "Means over seeds, ± the half-width of the 95 % t-interval (number of seeds), or the values where there is "
        "none. Hatched: no result."
    ),
    table=table,
    draw=draw,
    size=size,
    order=30,
)
