"""The trials of a search: a line each, through its value of every parameter to its score."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from raysl.reports.figure import COLOURS, GREY, MARKERS, Figure, FigureInput, shortened, tidy
from raysl.reports.input import Searched
from raysl.results.search_folder import SearchTrial, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("panel", "trial", "status", "row", "axis", "parameter", "value", "position", "score")
LOGARITHMIC = 8.0
"""The ratio of largest to smallest value from which a parameter's axis is logarithmic."""
SCORE = "score (%)"


def table(source: FigureInput) -> pd.DataFrame:
    """A line for each trial with a score and each of its parameters; position: from 0, the smallest value, to 1."""
    searched = source.table.source.searched
    lines = [] if searched is None else _lines(searched)
    return tidy(lines, COLUMNS)


def scored(searched: Searched) -> list[SearchTrial]:
    """Trials that ended with their own score, by number."""
    found = [one for one in searched.trials if one.ended and one.score is not None and one.same_as is None]
    return sorted(found, key=lambda one: one.number)


def _lines(searched: Searched) -> list[dict[str, Any]]:
    trials, rows = scored(searched), {number: row for row, number in searched.best.items()}
    values: dict[str, dict[int, Value]] = {
        name: {one.number: one.point[name] for one in trials if name in one.point} for name in searched.parameters
    }
    values[SCORE] = {one.number: one.score for one in trials if one.score is not None}
    scales = {name: positions(list(found.values())) for name, found in values.items()}
    return [
        {
            **{"panel": "trials", "trial": one.number, "status": one.status, "row": rows.get(one.number, "")},
            **{"axis": axis, "parameter": name, "value": _written(values[name][one.number]), "score": one.score},
            "position": scales[name][values[name][one.number]],
        }
        for one in trials
        for axis, name in enumerate(values)
        if one.number in values[name]
    ]


def positions(values: Sequence[Value]) -> Mapping[Value, float]:
    """Each value from 0 to 1: numbers by size, or by their logarithms; names at even distances."""
    if any(isinstance(value, str | bool) for value in values):
        names = sorted({str(value) for value in values}, key=_by_size)
        return {value: names.index(str(value)) / max(1, len(names) - 1) for value in values}
    numbers = {value: float(value) for value in values}
    low, high = min(numbers.values(), default=0.0), max(numbers.values(), default=0.0)
    if low > 0 and high / low >= LOGARITHMIC:
        numbers, low, high = {value: math.log(one) for value, one in numbers.items()}, math.log(low), math.log(high)
    return {value: 0.5 if low == high else (one - low) / (high - low) for value, one in numbers.items()}


def _by_size(name: str) -> tuple[float, str]:
    return (float(name) if re.fullmatch(r"\d+(\.\d+)?", name) else math.inf), name


def _written(value: Value) -> Value:
    """A value in the notation of a study's file."""
    return str(value).lower() if isinstance(value, bool) else value


def draw(data: pd.DataFrame, axes: Axes) -> None:
    names = list(dict.fromkeys(data.sort_values("axis", kind="stable")["parameter"]))
    low, high = data["score"].min(), data["score"].max()
    for _, own in data.groupby("trial", sort=False):
        first = own.iloc[0]
        line: dict[str, Any] = {"linewidth": 0.8, "color": GREY, "linestyle": "-", "alpha": 0.6}
        if first["status"] == "stopped":
            line |= {"linestyle": (0, (2, 2)), "color": "#b0b0b0"}
        elif high > low:
            line["alpha"] = 0.25 + 0.6 * (first["score"] - low) / (high - low)
        if first["row"]:
            kind = sorted(set(data["row"]) - {""}).index(first["row"]) % len(COLOURS)
            label = shortened(f"{first['row']} (trial {first['trial']})")
            line = {"linewidth": 1.8, "color": COLOURS[kind], "marker": MARKERS[kind], "label": label}
        axes.plot([names.index(name) for name in own["parameter"]], own["position"], **line)
    for x, name in enumerate(names):
        axes.axvline(x, color="black", linewidth=0.6, zorder=0)
        _ends(data[data["parameter"] == name], x, axes)
    axes.set_xticks(
        range(len(names)), ["\n".join(shortened(one, 18, 1) for one in name.split(".")[-2:]) for name in names]
    )
    axes.set_yticks([])
    axes.set_xlim(-0.35, len(names) - 0.45)
    axes.set_ylim(-0.08, 1.08)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)


def _ends(data: pd.DataFrame, x: int, axes: Axes) -> None:
    """The smallest and the largest number of an axis, or each name."""
    known = dict(zip(data["position"], data["value"], strict=True))
    named = any(isinstance(value, str) for value in known.values())
    for position in sorted(known) if named else sorted({min(known), max(known)}):
        value = known[position]
        text = shortened(str(value), 16, 1) if named else f"{value:.3g}"
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5}
        axes.text(x + 0.03, position, text, fontsize=6, va="center", bbox=box)


def size(data: pd.DataFrame) -> tuple[float, float]:
    return max(4.4, 1.2 * data["parameter"].nunique()), 3.2


FIGURE = Figure(
    title="The search's trials",
    caption=(
        "A line is a trial: through its value of each parameter, logarithmic where the values span a factor of 8, to "
        "its score. The stronger a grey line, the higher its score; dashed: stopped early; coloured: the best, which "
        "are rows of the table."
    ),
    table=table,
    draw=draw,
    size=size,
    order=44,
)
