"""Training curves of all rows: losses, learning rate, and how well each pretext task is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from raysl.reports.figure import GREY, Figure, FigureInput, look, rows_drawn, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("panel", "unit", "row", "kind", "step", "epoch", "seeds", "value", "low", "high")
MAJORITY, ACCURACY = "_majority", "_accuracy"
LEARNING_RATE = "optimizer/learning_rate"


def table(source: FigureInput) -> pd.DataFrame:
    """Of each row the mean over seeds, and between which values these lie; shares in percent.

    Lines of kind row, and majority: what answering the most frequent class would give.
    """
    curves = source.curves
    curves = curves[[_panel(name) is not None for name in curves["name"]]] if len(curves) else curves
    if not len(curves):
        return pd.DataFrame(columns=list(COLUMNS))
    groups = curves.groupby(["row", "name", "step"], observed=True, sort=False)
    found = groups.agg(
        epoch=("epoch", "max"),
        seeds=("value", "size"),
        value=("value", lambda values: values.mean(skipna=False)),
        low=("value", lambda values: values.min(skipna=False)),
        high=("value", lambda values: values.max(skipna=False)),
    ).reset_index()
    names = found["name"].astype(str)
    percent = names.str.startswith("metric/")
    for part in ("value", "low", "high"):
        found[part] = found[part].where(~percent, 100 * found[part])
    found["panel"] = names.map(_panel)
    found["unit"] = percent.map({True: "%", False: ""})
    found["kind"] = names.str.endswith(MAJORITY).map({True: "majority", False: "row"})
    order = {panel: place for place, panel in enumerate(sorted(set(found["panel"]), key=_order))}
    found["place"] = found["panel"].map(order)
    return found.sort_values(["place", "row", "kind", "step"], kind="stable")[list(COLUMNS)].reset_index(drop=True)


def _panel(name: str) -> str | None:
    """What a curve is drawn beside; None for those that are not drawn."""
    part, _, rest = name.partition("/")
    if part == "loss":
        return "loss, total" if rest == "total" else f"loss, {rest}"
    if name == LEARNING_RATE:
        return "learning rate"
    if rest.endswith((MAJORITY, ACCURACY)):
        return f"accuracy, {rest.removesuffix(MAJORITY).removesuffix(ACCURACY)}"
    return "accuracy, supervised" if rest == "accuracy" else f"accuracy, {rest}" if "knn" in rest.lower() else None


def _order(panel: str) -> tuple[int, str]:
    kinds = ("loss, total", "loss", "learning rate", "accuracy")
    return next(place for place, kind in enumerate(kinds) if panel.startswith(kind)), panel


def draw(data: pd.DataFrame, axes: Axes) -> None:
    for position, row in enumerate(rows_drawn_of(data)):
        colour, _, dashes = look(position)
        own = data[(data["row"] == row) & (data["kind"] == "row")]
        if len(own):
            axes.plot(own["step"], own["value"], color=colour, linestyle=dashes, linewidth=1, label=shortened(row))
            axes.fill_between(own["step"], own["low"], own["high"], color=colour, alpha=0.12, linewidth=0)
    majority = data[data["kind"] == "majority"]
    for number, row in enumerate(rows_drawn(majority)):
        own = majority[majority["row"] == row]
        label = "majority rate" if number == 0 else None
        axes.plot(own["step"], own["value"], color=GREY, linestyle=(0, (1, 1.5)), linewidth=1, label=label)
    axes.set_xlabel("steps")
    axes.set_ylabel(str(data["unit"].iloc[0]))
    axes.grid(axis="y", color="#dddddd", linewidth=0.4)


def rows_drawn_of(data: pd.DataFrame) -> list[str]:
    """In the order of the table, whichever rows a panel has, so that a row looks the same in all of them."""
    known = data["row"]
    return [str(row) for row in known.cat.categories] if hasattr(known, "cat") else rows_drawn(data)


def size(data: pd.DataFrame) -> tuple[float, float]:
    return 3.6, 2.3


FIGURE = Figure(
    title="Training curves",
    caption=(
        "Lines: means over the seeds of finished cells, over up to 60 stretches of steps; bands: from the lowest to "
        "the highest seed. Dotted: the rate of the most frequent answer."
    ),
    table=table,
    draw=draw,
    size=size,
    beside=3,
    most_panels=24,
    order=60,
)
