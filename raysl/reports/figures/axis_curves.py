"""A metric over a number that rows, evaluations or metrics differ in: temperature, epochs, clips of a video, R@k."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from raysl.reports.axes import Axis
from raysl.reports.figure import Figure, FigureInput, look, rows_drawn, shortened, tidy
from raysl.reports.figures.intervals import unit_of
from raysl.reports.statistics import Sample
from raysl.reports.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("panel", "unit", "axis", "series", "kind", "x", "seed", "value", "low", "high")
LOGARITHMIC = 8.0
"""The ratio of an axis's ends from which it is logarithmic."""


def table(source: FigureInput) -> pd.DataFrame:
    """Lines of kind mean and seed, by series and x."""
    lines = [line for axis in source.axes for line in (_over_rows if axis.rows else _over_columns)(source.table, axis)]
    return tidy(lines, COLUMNS)


def _over_rows(found: Table, axis: Axis) -> Iterator[dict[str, Any]]:
    for position in found.shown:
        column = found.source.columns[position]
        head: dict[str, Any] = {
            "panel": f"{column.heading} over {axis.name}",
            "unit": unit_of(found, column),
            "axis": axis.name,
        }
        points = [(axis.rows[row.name], row) for row in found.rows if row.name in axis.rows]
        for place, row in sorted(points, key=lambda point: (point[0].series, point[0].x)):
            entry = row.entries[position]
            head |= {"series": place.series, "x": place.x}
            yield from ({**head, **line} for line in _point(entry.seeds, entry.sample))


def _over_columns(found: Table, axis: Axis) -> Iterator[dict[str, Any]]:
    columns = found.source.columns
    for row in found.rows:
        for column, x in sorted(axis.columns.items(), key=lambda item: item[1]):
            entry = row.entries[columns.index(column)]
            head = {"panel": axis.title, "unit": unit_of(found, column), "axis": axis.name, "series": row.name, "x": x}
            yield from ({**head, **line} for line in _point(entry.seeds, entry.sample))


def _point(seeds: tuple[int, ...], sample: Sample) -> Iterator[dict[str, Any]]:
    if sample.mean is not None:
        yield {"kind": "mean", "value": sample.mean, "low": sample.low, "high": sample.high}
    for seed, value in zip(seeds, sample.values, strict=True):
        yield {"kind": "seed", "seed": seed, "value": value}


def draw(data: pd.DataFrame, axes: Axes) -> None:
    means, seeds = data[data["kind"] == "mean"], data[data["kind"] == "seed"]
    for position, series in enumerate(rows_drawn(data, "series")):
        colour, marker, dashes = look(position)
        own, each = means[means["series"] == series], seeds[seeds["series"] == series]
        label = shortened(series) if series else None
        axes.plot(own["x"], own["value"], color=colour, marker=marker, linestyle=dashes, label=label)
        axes.fill_between(own["x"], own["low"].astype(float), own["high"].astype(float), color=colour, alpha=0.15)
        axes.plot(each["x"], each["value"], "_", color=colour, markersize=4, markeredgewidth=0.8)
    numeric_axis(axes, sorted(set(data["x"])))
    axes.set_xlabel(shortened(data["axis"].iloc[0], 60, 1))
    axes.set_ylabel(data["unit"].iloc[0])
    axes.grid(axis="y", color="#dddddd", linewidth=0.4)


def numeric_axis(axes: Axes, values: list[float]) -> None:
    """Ticks at the values; logarithmic if they are far apart. Numbers are plain text, never a formula."""
    if values[0] > 0 and values[-1] / values[0] >= LOGARITHMIC:
        axes.set_xscale("log")
    if len(values) <= 12:
        axes.set_xticks(values, [f"{value:g}" for value in values], rotation=45 if len(values) > 6 else 0)
        axes.set_xticks([], minor=True)


def size(data: pd.DataFrame) -> tuple[float, float]:
    return 4.4, 3.0


FIGURE = Figure(
    title="Over a number",
    caption="Lines: means over seeds; bands: their 95 % t-intervals; small ticks: seeds.",
    table=table,
    draw=draw,
    size=size,
    order=40,
)
