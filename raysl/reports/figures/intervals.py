"""Every row's value: the mean over seeds with its interval, beside the baseline's band."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from raysl.reports.figure import BLACK, COLOURS, GREY, LIGHT, Figure, FigureInput, rows_drawn, shortened
from raysl.reports.input import Column
from raysl.reports.pairs import is_share, result
from raysl.reports.table import Entry, Table, TableRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("panel", "unit", "row", "kind", "seed", "value", "low", "high", "note")


def table(source: FigureInput) -> pd.DataFrame:
    """Lines of kind seed, mean, baseline (the mean of this row), hole and reference."""
    found = source.table
    lines = [line for position in found.shown for line in _column(found, position)]
    return pd.DataFrame(lines, columns=list(COLUMNS))


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
    """What a metric is in: shares of right answers, or cosines (`raysl.reports.pairs.is_share`)."""
    records = [record for row in found.source.rows for cell in row.cells if (record := result(cell, column))]
    return "%" if is_share(column, records) else "cosine × 100"


def draw(data: pd.DataFrame, axes: Axes) -> None:
    rows = rows_drawn(data[data["kind"] != "reference"])
    height = {row: -position for position, row in enumerate(rows)}
    _baseline(data, axes)
    for position, line in enumerate(data[data["kind"] == "reference"].itertuples()):
        style = (0, (1, 2)) if position else (0, (4, 2))
        axes.axvline(line.value, color=GREY, linestyle=style, linewidth=1, label=shortened(line.row, 40, 1))
    for line in data[data["row"].isin(rows)].itertuples():
        _mark(line, height[line.row], axes)
    row_names(axes, rows, heading=str(data["unit"].iloc[0]))


def _baseline(data: pd.DataFrame, axes: Axes) -> None:
    for line in data[data["kind"] == "baseline"].itertuples():
        if pd.notna(line.low):
            axes.axvspan(line.low, line.high, color=LIGHT, zorder=0, linewidth=0)
        axes.axvline(line.value, color=GREY, linewidth=0.8, zorder=1)


def _mark(line: Any, y: float, axes: Axes) -> None:
    if line.kind == "seed":
        axes.plot(line.value, y - 0.24, "|", color=BLACK, markersize=4, markeredgewidth=0.8)
    elif line.kind == "hole":
        axes.text(1.01, y - 0.24, shortened(line.note, 34, 1), transform=axes.get_yaxis_transform(), fontsize=5.5)
    elif line.kind in ("mean", "baseline"):
        own = line.kind == "baseline"
        if pd.notna(line.low):
            axes.plot([line.low, line.high], [y, y], color=COLOURS[0] if not own else BLACK, linewidth=1.4)
        axes.plot(line.value, y, "D" if own else "o", color=BLACK if own else COLOURS[0])


def row_names(axes: Axes, rows: list[str], heading: str) -> None:
    """Names of rows down the left side; the first one is at 0, the others below it."""
    axes.set_yticks([-position for position in range(len(rows))], [shortened(row) for row in rows])
    axes.set_ylim(-len(rows) + 0.4, 0.6)
    axes.set_xlabel(heading)
    axes.grid(axis="x", color=LIGHT, linewidth=0.4)
    axes.set_axisbelow(True)


def row_size(data: pd.DataFrame) -> tuple[float, float]:
    """Of a panel with a line for every row."""
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
