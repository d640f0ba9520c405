"""Accuracy of each pretext task at the end of training, and the rate of its most frequent answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from raysl.reports.figure import BLACK, COLOURS, Figure, FigureInput, rows_drawn, tidy, with_rows_read
from raysl.reports.figures.intervals import bars, row_names, row_size, seed_ticks
from raysl.reports.figures.training_curves import ACCURACY, MAJORITY
from raysl.reports.statistics import PERCENT, describe

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("panel", "unit", "row", "kind", "seed", "value", "low", "high")
LAST = 0.9
"""The share of training that is left out."""
PREFIX = "metric/"


def table(source: FigureInput) -> pd.DataFrame:
    """Lines of kind mean, seed and majority, each over the last tenth of training."""
    curves = source.curves
    names = [str(name) for name in dict.fromkeys(curves["name"]) if str(name).endswith(MAJORITY)]
    lines = [line for name in names for line in _task(curves, name.removeprefix(PREFIX).removesuffix(MAJORITY))]
    return with_rows_read(tidy(lines, COLUMNS), source)


def _task(curves: pd.DataFrame, task: str) -> Iterator[dict[str, Any]]:
    ends = {name: _ends(curves[curves["name"] == f"{PREFIX}{task}{name}"]) for name in (ACCURACY, MAJORITY)}
    head = {"panel": task.replace("_", " "), "unit": "%"}
    for row in dict.fromkeys(row for row, _ in ends[ACCURACY].index):
        values = ends[ACCURACY].loc[row]
        sample = describe(values.tolist(), PERCENT)
        mean = {"kind": "mean", "value": sample.mean, "low": sample.low, "high": sample.high}
        yield {**head, "row": row, **mean}
        for seed, value in values.items():
            yield {**head, "row": row, "kind": "seed", "seed": seed, "value": value}
        yield {**head, "row": row, "kind": "majority", "value": ends[MAJORITY].loc[row].mean()}


def _ends(curves: pd.DataFrame) -> pd.Series[Any]:
    """From row and seed to the mean over the last tenth of its steps, in percent."""
    last = curves.groupby("row", observed=True)["step"].transform("max")
    return 100 * curves[curves["step"] > LAST * last].groupby(["row", "seed"], observed=True)["value"].mean()


def draw(data: pd.DataFrame, axes: Axes) -> None:
    rows = rows_drawn(data)
    height = {row: -position for position, row in enumerate(rows)}
    drawn = data[data["row"].isin(rows)]
    means, rates = drawn[drawn["kind"] == "mean"], drawn[drawn["kind"] == "majority"]
    line: dict[str, Any] = {"edgecolor": BLACK, "linewidth": 0.5}
    above, below = means["row"].map(height) + 0.17, rates["row"].map(height) - 0.19
    axes.barh(above, means["value"], 0.38, color=COLOURS[5], label="accuracy", **line)
    axes.barh(below, rates["value"], 0.3, color="white", hatch="////", label="majority rate", **line)
    bars(axes, means, above, BLACK, 1.0)
    seed_ticks(axes, drawn, height, -0.17)
    row_names(axes, rows, heading="accuracy in the last tenth of training (%)")
    axes.set_xlim(0, 100)


FIGURE = Figure(
    title="Accuracy of the pretext tasks",
    caption=(
        "Bars: means over the last tenth of training and over seeds, lines: 95 % t-intervals over seeds, small ticks: "
        "seeds. Hatched: what the most frequent answer of each batch would give."
    ),
    table=table,
    draw=draw,
    size=row_size,
    order=70,
)
