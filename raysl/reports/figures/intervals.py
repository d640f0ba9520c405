"""Every row's value: the mean over seeds with its interval, and the baseline's band."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from raysl.reports.figure import BLACK, COLOURS, GREY, LIGHT, Figure, FigureInput, lines_of, rows_drawn, shortened, tidy
from raysl.reports.input import Column
from raysl.reports.pairs import is_share, result
from raysl.reports.table import Entry, Table, TableRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("panel", "unit", "row", "kind", "seed", "value", "low", "high", "note")
MEASURED_IN = {
    "alignment": "squared distance × 100",
    "uniformity": "log potential × 100",
    "spread": "% of the sphere's",
    "rankme": "dimensions",
}
"""Metrics of the protocol geometry that are neither shares nor cosines."""


def table(source: FigureInput) -> pd.DataFrame:
    """Lines of kind seed, mean, baseline (the mean of this row), hole and reference."""
    found = source.table
    lines = [line for position in found.shown for line in _column(found, position)]
    return tidy(lines, COLUMNS)


def _column(found: Table, position: int) -> Iterator[dict[str, Any]]:
    column = found.source.columns[position]
    head = {"panel": column.heading, "unit": unit_of(found, column)}
    for row in found.rows:
        kind = "baseline" if row.name == found.source.baseline else "mean"
        yield from ({**head, "row": row.name, **line} for line in _row(row, row.entries[position], kind))
    for reference in found.source.references:
        if (value := reference.values.get(column.key)) is not None:
            yield {**head, "row": reference.name, "kind": "reference", "value": value, "note": reference.note}


def _row(row: TableRow, entry: Entry, kind: str) -> Iterator[dict[str, Any]]:
    sample = entry.sample
    if sample.mean is not None:
        note = f"{len(sample.values)} equal values" if sample.all_equal else ""
        yield {"kind": kind, "value": sample.mean, "low": sample.low, "high": sample.high, "note": note}
    for seed, value in zip(entry.seeds, sample.values, strict=True):
        yield {"kind": "seed", "seed": seed, "value": value}
    for hole in entry.holes:
        yield {"kind": "hole", "note": hole}


def unit_of(found: Table, column: Column) -> str:
    """The unit of a metric: shares of right answers (`raysl.reports.pairs.is_share`), or others; empty without any."""
    if not column.metric:
        return ""
    records = [record for row in found.source.rows for cell in row.cells if (record := result(cell, column))]
    return "%" if is_share(column, records) else MEASURED_IN.get(column.metric, "cosine × 100")


def draw(data: pd.DataFrame, axes: Axes) -> None:
    rows = rows_drawn(data[data["kind"] != "reference"])
    height = {row: -position for position, row in enumerate(rows)}
    for position, line in enumerate(lines_of(data[data["kind"] == "reference"])):
        style = (0, (1, 2)) if position else (0, (4, 2))
        axes.axvline(line.value, color=GREY, linestyle=style, linewidth=1, label=shortened(line.row, 40, 1))
    for line in lines_of(data[data["kind"] == "baseline"]):
        if pd.notna(line.low):
            axes.axvspan(line.low, line.high, color=LIGHT, zorder=0, linewidth=0)
        axes.axvline(line.value, color=GREY, linewidth=0.8, zorder=1)
    drawn = data[data["row"].isin(rows)]
    for kind, marker, colour in (("mean", "o", COLOURS[0]), ("baseline", "D", BLACK)):
        own = drawn[drawn["kind"] == kind]
        bars(axes, own, own["row"].map(height), colour)
        axes.plot(own["value"], own["row"].map(height), marker, color=colour)
    seed_ticks(axes, drawn, height)
    for line in lines_of(drawn[drawn["kind"] == "hole"].drop_duplicates("row")):
        left = axes.get_yaxis_transform()
        axes.text(0.01, height[line.row] + 0.14, shortened(line.note, 60, 1), transform=left, fontsize=5.5, color=GREY)
    row_names(axes, rows, heading=str(data["unit"].iloc[0]))


def bars(axes: Axes, lines: pd.DataFrame, at: pd.Series[Any], colour: str, width: float = 1.4) -> None:
    """Draws the intervals of rows that have one."""
    known = lines["low"].notna()
    axes.hlines(
        at[known], lines["low"][known].astype(float), lines["high"][known].astype(float), colour, linewidth=width
    )


def seed_ticks(axes: Axes, data: pd.DataFrame, height: Mapping[str, float], below: float = 0.24) -> None:
    """A small mark for each seed's value, below its row."""
    seeds = data[data["kind"] == "seed"]
    at = seeds["row"].map(height).astype(float) - below
    axes.plot(seeds["value"], at, "|", color=BLACK, markersize=4, markeredgewidth=0.8)


def row_names(axes: Axes, rows: list[str], heading: str, width: int = 30) -> None:
    """Names of rows down the left side; the first one is at 0, the others below it."""
    axes.set_yticks([-position for position in range(len(rows))], [shortened(row, width) for row in rows])
    axes.set_ylim(-len(rows) + 0.4, 0.6)
    axes.set_xlabel(heading)
    axes.grid(axis="x", color=LIGHT, linewidth=0.4)
    axes.set_axisbelow(True)


def row_size(data: pd.DataFrame) -> tuple[float, float]:
    """Height of a panel with a line for every row."""
    return 5.2, 0.9 + 0.27 * len(rows_drawn(data))


FIGURE = Figure(
    title="Every row with its interval",
    caption=(
        "Dots: means over seeds; bars: their 95 % t-intervals (none below three seeds, or where all are equal); small "
        "ticks: seeds. Diamond, line and band: the baseline with its interval."
    ),
    table=table,
    draw=draw,
    size=row_size,
    order=10,
)
