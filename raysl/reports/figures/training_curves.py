"""Training curves of all rows: losses, learning rate, accuracy of pretext tasks, measurements of the features; also
CVRL's Figure 5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from raysl.reports.curves import MONITOR, POINTS
from raysl.reports.figure import (
    BLACK,
    COLOURS,
    GREY,
    LIGHT,
    MOST_ROWS,
    Figure,
    FigureInput,
    look,
    plain,
    shortened,
    with_rows_read,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("panel", "unit", "row", "kind", "step", "epoch", "seeds", "value", "low", "high")
MAJORITY, ACCURACY, ENTROPY = "_majority", "_accuracy", "_entropy"
KNN = f"{MONITOR}knn_accuracy"
NAMED = {
    "optimizer/learning_rate": "learning rate",
    "optimizer/weight_penalty": "weight penalty",
    KNN: "nearest training videos",
    f"{MONITOR}spread": "spread of features",
    f"{MONITOR}rankme": "RankMe of features",
}
"""Curve to panel."""
BASELINE = "baseline"
ROWS = ("row", BASELINE)
MOST_COLOURS = 12
"""The most rows with different colours and bands."""


def table(source: FigureInput) -> pd.DataFrame:
    """The mean over seeds of each row, with the lowest and highest seed; shares in percent.

    Lines of kind row, baseline (this row's), and majority: the accuracy of always answering the most frequent class.
    """
    curves = source.curves
    if len(curves):
        names = curves["name"].astype(str)
        looked = ~names.str.startswith(MONITOR) | curves["value"].notna()
        curves = curves[looked & names.map(lambda name: _panel(name) is not None)]
    if not len(curves):
        return pd.DataFrame(columns=list(COLUMNS))
    groups = curves.groupby(["row", "name", "step"], observed=True, sort=False)
    found = groups.agg(
        epoch=("epoch", "max"),
        seeds=("value", "size"),
        known=("value", "count"),
        **{name: ("value", how) for name, how in (("value", "mean"), ("low", "min"), ("high", "max"))},
    ).reset_index()
    found.loc[found["known"] < found["seeds"], ["value", "low", "high"]] = float("nan")  # a loss was not finite
    names = found["name"].astype(str)
    entropy = names.str.endswith(ENTROPY)
    percent = (names.str.startswith("metric/") & ~entropy) | (names == KNN)
    for part in ("value", "low", "high"):
        found[part] = found[part].where(~percent, 100 * found[part])
    found["panel"] = names.map(_panel)
    found["unit"] = np.select([percent, entropy], ["%", "nats"], "")
    found["kind"] = names.str.endswith(MAJORITY).map({True: "majority", False: "row"})
    of_baseline = found["row"].astype(str) == plain(source.table.source.baseline or "")
    found.loc[of_baseline & (found["kind"] == "row"), "kind"] = BASELINE
    order = {panel: place for place, panel in enumerate(sorted(set(found["panel"]), key=_order))}
    found["place"] = found["panel"].map(order)
    found = found.sort_values(["place", "row", "kind", "step"], kind="stable")[list(COLUMNS)].reset_index(drop=True)
    return with_rows_read(found, source)


def _panel(name: str) -> str | None:
    """The panel of a curve; None for those that are not drawn."""
    part, _, rest = name.partition("/")
    if part == "loss":
        return "loss, total" if rest == "total" else f"loss, {rest}"
    if name in NAMED:
        return NAMED[name]
    if rest.endswith(ENTROPY):
        return f"entropy, {rest.removesuffix(ENTROPY)}"
    if rest.endswith((MAJORITY, ACCURACY)):
        return f"accuracy, {rest.removesuffix(MAJORITY).removesuffix(ACCURACY)}"
    return "accuracy, supervised" if rest == "accuracy" else f"accuracy, {rest}" if "knn" in rest.lower() else None


def _order(panel: str) -> tuple[int, str]:
    monitored = [title for name, title in NAMED.items() if name.startswith(MONITOR)]
    kinds = ("loss, total", "loss", "weight penalty", "entropy", "learning rate", "accuracy", *monitored)
    return next(place for place, kind in enumerate(kinds) if panel.startswith(kind)), panel


def draw(data: pd.DataFrame, axes: Axes) -> None:
    parts = dict(list(data.groupby(["kind", "row"], observed=True, sort=False)))
    rows = _rows(data)
    if len(rows) > MOST_COLOURS:
        _many(data, axes)
    else:
        _few(parts, rows, axes)
    label: str | None = "majority rate"
    for row in rows[:MOST_COLOURS]:
        if (own := parts.get(("majority", row))) is not None:
            axes.plot(own["step"], own["value"], color=GREY, linestyle=(0, (1, 1.5)), linewidth=1, label=label)
            label = None
    axes.set_xlabel("steps")
    axes.set_ylabel(str(data["unit"].iloc[0]))
    axes.locator_params(nbins=6)
    axes.grid(axis="y", color=LIGHT, linewidth=0.4)


def _few(parts: Mapping[Any, pd.DataFrame], rows: Sequence[str], axes: Axes) -> None:
    """Each row in a different colour, with the band of its seeds."""
    for position, row in enumerate(rows):
        colour, _, dashes = look(position)
        own = next((parts[kind, row] for kind in ROWS if (kind, row) in parts), None)
        if own is not None:
            axes.plot(own["step"], own["value"], color=colour, linestyle=dashes, linewidth=1, label=shortened(row))
            axes.fill_between(own["step"], own["low"], own["high"], color=colour, alpha=0.12, linewidth=0)


def _many(data: pd.DataFrame, axes: Axes) -> None:
    """More rows than colours can distinguish: all in grey, their median as far as they all go, and the baseline."""
    lines = data[data["kind"].isin(ROWS)]
    rows = [(one["step"].to_numpy(), one["value"].to_numpy()) for _, one in lines.groupby("row", observed=True)]
    gap = [float("nan")]  # between two rows, which are one artist
    every = [np.concatenate([part for row in rows for part in (row[side], gap)]) for side in (0, 1)]
    style: dict[str, Any] = {"alpha": 0.4, "linewidth": 0.5} if len(rows) > MOST_COLOURS else {"linewidth": 0.9}
    axes.plot(*every, color=GREY, label="a row", **style)
    first, last = max(steps[0] for steps, _ in rows), min(steps[-1] for steps, _ in rows)
    if len(rows) > 1 and first < last:
        at = np.linspace(first, last, POINTS)
        median = np.median([np.interp(at, *row) for row in rows], axis=0)
        axes.plot(at, median, color=COLOURS[0], linewidth=1.6, label="median of rows")
    own = lines[lines["kind"] == BASELINE]
    if len(own):
        axes.plot(own["step"], own["value"], color=BLACK, linewidth=1.2, label=shortened(str(own["row"].iloc[0])))


def _rows(data: pd.DataFrame) -> list[str]:
    """Styles in the order of the table, so that a row looks the same in all panels."""
    return [str(row) for row in data["row"].cat.categories][:MOST_ROWS]


def size(data: pd.DataFrame) -> tuple[float, float]:
    return 3.6, 2.3


FIGURE = Figure(
    title="Training curves",
    caption=(
        f"Lines: means over the seeds of finished cells, over up to {POINTS} stretches of steps; bands: from the "
        "lowest to the highest seed. Dotted: the rate of the most frequent answer. More than "
        f"{MOST_COLOURS} rows are drawn in grey, without bands."
    ),
    table=table,
    draw=draw,
    size=size,
    beside=3,
    most_panels=24,
    order=60,
)
