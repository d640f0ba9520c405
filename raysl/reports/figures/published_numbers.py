"""The published numbers against ours, with the pairs of rows whose order our seeds decide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from raysl.reports.figure import COLOURS, GREY, Figure, FigureInput, lines_of, look, rows_drawn, shortened, tidy
from raysl.reports.figures.intervals import unit_of
from raysl.reports.ordering import Ordering
from raysl.reports.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("panel", "unit", "kind", "row", "other", "published", "value", "low", "high", "verdict")
PAIRS = {"agree": (COLOURS[2], (0, ()), 0.7), "disagree": (COLOURS[1], (0, (4, 1.5)), 1.4)}
"""Line style of a pair that our seeds decide; others are not joined."""


def table(source: FigureInput) -> pd.DataFrame:
    """Lines of kind row, and pair: two rows with their differences, published and ours."""
    lines = [line for ordering in source.table.orderings for line in _column(source.table, ordering)]
    return tidy(lines, COLUMNS)


def _column(found: Table, ordering: Ordering) -> Iterator[dict[str, Any]]:
    published, position = found.source.published, found.source.columns.index(ordering.column)
    if published is None:
        return
    head = {"panel": ordering.column.heading, "unit": unit_of(found, ordering.column)}
    for row in found.rows:
        if row.name in published.rows:
            sample, number = row.entries[position].sample, published.number(row.name, ordering.column)
            line = {"kind": "row", "row": row.name, "published": number}
            yield head | line | {"value": sample.mean, "low": sample.low, "high": sample.high}
    for pair in ordering.pairs:
        line = {"kind": "pair", "row": pair.first, "other": pair.second, "published": pair.published}
        own = {"value": pair.sample.mean, "low": pair.sample.low, "high": pair.sample.high}
        yield head | line | own | {"verdict": pair.verdict}


def draw(data: pd.DataFrame, axes: Axes) -> None:
    rows = data[data["kind"] == "row"]
    known = rows.dropna(subset=["published", "value"]).set_index("row")
    for position, row in enumerate(rows_drawn(rows)):
        colour, marker, _ = look(position)
        if row in known.index:
            own = known.loc[row]
            if pd.notna(own["low"]):
                axes.plot([own["published"]] * 2, [own["low"], own["high"]], color=colour, linewidth=1)
            axes.plot(own["published"], own["value"], marker, color=colour, linestyle="none", label=shortened(row))
    for pair in lines_of(data[data["kind"] == "pair"]):
        if pair.verdict in PAIRS and pair.row in known.index and pair.other in known.index:
            colour, dashes, width = PAIRS[pair.verdict]
            ends = known.loc[[pair.row, pair.other]]
            label = f"pair decided: {pair.verdict}s"
            axes.plot(
                ends["published"], ends["value"], color=colour, linestyle=dashes, linewidth=width, zorder=1, label=label
            )
    missing = [row for row in rows_drawn(rows) if row not in known.index]
    if missing:
        text = "not drawn, a number is missing: " + ", ".join(shortened(row, 24, 1) for row in missing)
        axes.text(0, 1.0, shortened(text, 64, 3), transform=axes.transAxes, fontsize=5.5, va="top", color=GREY)
    axes.set_xlabel(f"published ({data['unit'].iloc[0]})")
    axes.set_ylabel(f"ours ({data['unit'].iloc[0]})")
    axes.grid(color="#dddddd", linewidth=0.4)


def size(data: pd.DataFrame) -> tuple[float, float]:
    return 4.4, 3.6


FIGURE = Figure(
    title="Published and measured",
    caption=(
        "Bars: 95 % t-intervals of our means over seeds. Joined: pairs whose order our seeds decide, each by itself at "
        "5 %; a rising line agrees with the published order, a falling one does not."
    ),
    table=table,
    draw=draw,
    size=size,
    order=50,
)
