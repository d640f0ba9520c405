"""Every row's difference to the baseline, sorted by size, with those marked that the seeds decide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from raysl.reports.figure import BLACK, COLOURS, GREY, MOST_ROWS, Figure, FigureInput, shortened, tidy
from raysl.reports.figures.intervals import bars, row_names, row_size, seed_ticks, unit_of
from raysl.reports.table import Difference, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("panel", "unit", "baseline", "row", "kind", "seed", "value", "low", "high", "p_holm", "verdict")
MARKS = {
    "decided": ("o", COLOURS[0], COLOURS[0]),
    "not decided": ("o", "white", COLOURS[0]),
    "not tested": ("^", "white", GREY),
    "same results": ("x", GREY, GREY),
}
"""From verdict to marker, its face and its edge."""


def table(source: FigureInput) -> pd.DataFrame:
    """Lines of kind mean and seed; rows without a common seed are absent. Largest difference first."""
    found = source.table
    lines = [line for position in found.shown for line in _column(found, position)] if found.has_differences else []
    return tidy(lines, COLUMNS)


def _column(found: Table, position: int) -> Iterator[dict[str, Any]]:
    column = found.source.columns[position]
    unit = unit_of(found, column)
    head = {"panel": column.heading, "unit": "points" if unit == "%" else unit, "baseline": found.source.baseline}
    differences = [(row.name, one) for row in found.rows if (one := row.entries[position].difference) is not None]
    for name, one in sorted(differences, key=lambda item: -(item[1].sample.mean or 0.0)):
        yield from ({**head, "row": name, **line} for line in _row(one))


def _row(one: Difference) -> Iterator[dict[str, Any]]:
    sample = one.sample
    line = {"kind": "mean", "value": sample.mean, "low": sample.low, "high": sample.high, "p_holm": one.p_adjusted}
    yield {**line, "verdict": verdict_of(one)}
    for number, value in enumerate(sample.values):
        yield {"kind": "seed", "seed": number, "value": value}


def verdict_of(one: Difference) -> str:
    """One of `MARKS`."""
    if one.same:
        return "same results"
    if one.p_adjusted is None:
        return "not tested"
    return "decided" if one.decided else "not decided"


def draw(data: pd.DataFrame, axes: Axes) -> None:
    rows = _largest(list(dict.fromkeys(data["row"])))
    height = {row: -position for position, row in enumerate(rows)}
    axes.axvline(0, color=BLACK, linewidth=0.8)
    drawn = data[data["row"].isin(rows)]
    for verdict, (marker, face, edge) in MARKS.items():
        own = drawn[drawn["verdict"] == verdict]
        if len(own):
            at = own["row"].map(height)
            bars(axes, own, at, edge, 2.2 if verdict == "decided" else 1.0)
            axes.plot(own["value"], at, marker, color=edge, markerfacecolor=face, label=verdict)
    seed_ticks(axes, drawn, height)
    baseline = shortened(data["baseline"].iloc[0], 34, 1)
    row_names(axes, rows, heading=f"difference to {baseline} ({data['unit'].iloc[0]})")


def _largest(rows: list[str]) -> list[str]:
    """From both ends, if there are too many."""
    return rows if len(rows) <= MOST_ROWS else [*rows[: MOST_ROWS // 2], *rows[-MOST_ROWS // 2 :]]


FIGURE = Figure(
    title="Differences to the baseline, sorted by size",
    caption=(
        "Means of the differences paired by seed, bars: their 95 % t-intervals, not corrected; small ticks: seeds. "
        "Filled: decided over seeds (paired t-test, p below 0.05 after Holm's correction over all differences)."
    ),
    table=table,
    draw=draw,
    size=row_size,
    order=20,
)
