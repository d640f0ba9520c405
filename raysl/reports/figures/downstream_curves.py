"""Training accuracy while an evaluation trains a layer or a network, and test accuracy at its end.

CVRL's Figure 6, of its linear classifier: the paper tests after every epoch, here the trained network is tested once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from raysl.reports.figure import LIGHT, MOST_ROWS, Figure, FigureInput, look, plain, shortened, tidy, with_rows_read
from raysl.reports.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("panel", "unit", "row", "kind", "step", "epoch", "seeds", "value", "low", "high")
PREFIX = "metric/"


def table(source: FigureInput) -> pd.DataFrame:
    """Lines of kind training, a point of the curves (mean, lowest and highest seed), and test (mean, 95 % interval)."""
    curves = source.downstream
    names = curves["name"].astype(str)
    answered = names.str.startswith(PREFIX) & names.str.endswith("accuracy")
    lines: list[dict[str, Any]] = []
    for label in dict.fromkeys(curves["label"]):
        own = curves[answered & (curves["label"] == label)]
        trained = list(_training(own, str(label)))
        lines += [*trained, *_test(source.table, str(label), trained)]
    return with_rows_read(tidy(lines, COLUMNS), source)


def _training(own: pd.DataFrame, label: str) -> Iterator[dict[str, Any]]:
    for (row, step), found in own.groupby(["row", "step"], observed=True, sort=True):
        value = 100 * found["value"]
        head = {"panel": label, "unit": "%", "row": row, "kind": "training", "step": step}
        spread = {"value": value.mean(), "low": value.min(), "high": value.max()}
        yield {**head, "epoch": found["epoch"].max(), "seeds": len(found), **spread}


def _test(of: Table, label: str, trained: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The headline of each row with a curve, at its end."""
    labels, ends = [column.evaluation for column in of.source.columns], {line["row"]: line for line in trained}
    for row in of.rows if label in labels else ():
        sample, end = row.entries[labels.index(label)].sample, ends.get(plain(row.name))
        if end is not None and sample.mean is not None:
            head = {key: end[key] for key in ("panel", "unit", "row", "step", "epoch")}
            seeds = len(sample.values)
            yield {**head, "kind": "test", "seeds": seeds, "value": sample.mean, "low": sample.low, "high": sample.high}


def draw(data: pd.DataFrame, axes: Axes) -> None:
    for position, row in enumerate(list(dict.fromkeys(data["row"]))[:MOST_ROWS]):
        colour, marker, dashes = look(position)
        curve, test = (data[(data["row"] == row) & (data["kind"] == kind)] for kind in ("training", "test"))
        # An epoch has several points: the stored number is that of the current epoch.
        at = curve["step"] * (curve["epoch"].max() / curve["step"].max())
        axes.plot(at, curve["value"], color=colour, linestyle=dashes, linewidth=1, label=shortened(str(row)))
        axes.fill_between(at, curve["low"], curve["high"], color=colour, alpha=0.12, linewidth=0)
        for end in test.itertuples():
            axes.plot([end.epoch], [end.value], color=colour, marker=marker, markersize=4, linestyle="none")
            if end.low == end.low and end.high == end.high:
                axes.plot([end.epoch, end.epoch], [end.low, end.high], color=colour, linewidth=0.9)
    axes.set_xlabel("epochs")
    axes.set_ylabel("%")
    axes.locator_params(nbins=6)
    axes.grid(axis="y", color=LIGHT, linewidth=0.4)


def size(data: pd.DataFrame) -> tuple[float, float]:
    return 3.6, 2.3


FIGURE = Figure(
    title="Training of evaluations",
    caption=(
        "Of evaluations that train a layer or a network. Lines: accuracy on training clips as they are augmented, "
        "means over seeds; bands: from the lowest to the highest seed. Marks: the table's numbers on test videos, with "
        "their 95 % intervals over seeds."
    ),
    table=table,
    draw=draw,
    size=size,
    beside=3,
    most_panels=24,
    order=61,
)
