"""What a figure is: from a study's results to a tidy table, and from this to axes. Nothing here imports matplotlib."""

from __future__ import annotations

import importlib
import pkgutil
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import pandas as pd
from rich.cells import cell_len, chop_cells

from raysl.errors import printable
from raysl.reports import figures as package
from raysl.reports.axes import Axis
from raysl.reports.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_ROWS = 40
"""Lines of a figure that can be told apart; its CSV has all."""

NO_CURVES = ("row", "seed", "name", "step", "epoch", "value")
"""Columns of `FigureInput.curves`."""


@dataclass(frozen=True)
class FigureInput:
    """What figures are made from.

    Attributes:
        table: of the study.
        curves: of every cell, thinned: ``row``, ``seed``, ``name`` (``loss/total``), ``step``, ``epoch``, ``value``.
        axes: numbers that rows, or evaluations, differ in.
        levels: of a grid: row to axis to the name of its value.
    """

    table: Table
    curves: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(NO_CURVES)))
    axes: tuple[Axis, ...] = ()
    levels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """What the module of a figure exports as ``FIGURE``; its name is the module's.

    Attributes:
        title: what it shows, in a few words.
        caption: what its marks mean; stands below it.
        table: its data, tidy: a line for each thing that is drawn, with ``panel``, the axes it is drawn on. Empty
            where the study has nothing of it, and then nothing is drawn.
        draw: the lines of one panel onto its axes, which have the panel's name for a title.
        size: width and height of a panel in inches, from its lines.
        beside: panels beside each other, at most.
        most_panels: that are drawn; the others are in the CSV alone.
        order: figures stand in a report by it.
    """

    title: str
    caption: str
    table: Callable[[FigureInput], pd.DataFrame]
    draw: Callable[[pd.DataFrame, Axes], None]
    size: Callable[[pd.DataFrame], tuple[float, float]]
    beside: int = 2
    most_panels: int = 12
    order: int = 100


@cache
def find_figures() -> Mapping[str, Figure]:
    """All figures by name, in the order in which they stand in a report."""
    names = [module.name for module in pkgutil.iter_modules(package.__path__) if not module.name.startswith("_")]
    found = {name: getattr(importlib.import_module(f"{package.__name__}.{name}"), "FIGURE", None) for name in names}
    known = {}
    for name, figure in found.items():
        if not isinstance(figure, Figure):
            raise TypeError(f"{package.__name__}.{name} does not end with FIGURE = Figure(...)")
        known[name] = figure
    return dict(sorted(known.items(), key=lambda item: (item[1].order, item[0])))


BLACK, GREY, LIGHT = "#000000", "#767676", "#dddddd"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's, which colour-blind readers tell apart, but for the yellow that white paper swallows."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES: tuple[tuple[int, tuple[float, ...]], ...] = (
    (0, ()),
    (0, (5, 1.5)),
    (0, (1.2, 1.2)),
    (0, (6, 1.5, 1.2, 1.5)),
    (0, (6, 1.5, 1.2, 1.5, 1.2, 1.5)),
    (0, (3, 3)),
)
"""One less than there are colours, so that neighbours differ in both."""


def look(position: int) -> tuple[str, str, tuple[int, tuple[float, ...]]]:
    """Colour, marker and dashes of the n-th line; 42 differ, in grey too."""
    kind = position % len(COLOURS)
    return COLOURS[kind], MARKERS[kind], DASHES[position % len(DASHES)]


def shortened(text: str, width: int = 30, lines: int = 2) -> str:
    """Text of other people in a figure: on a few lines, and with an ellipsis in its middle where it is longer still."""
    plain = printable(text.strip())
    room = width * lines
    if cell_len(plain) > room:
        kept = room - 1 - room // 3
        head, tail = chop_cells(plain, kept)[0], chop_cells(plain[::-1], room // 3)[0][::-1]
        plain = f"{head.rstrip()}…{tail.lstrip()}"
    wrapped = textwrap.wrap(plain, width, break_on_hyphens=False)
    return "\n".join(wrapped if len(wrapped) <= lines else [plain[:width], plain[width:]])


def rows_drawn(data: pd.DataFrame, column: str = "row") -> list[str]:
    """The first `MOST_ROWS` rows, in their order."""
    return list(dict.fromkeys(data[column]))[:MOST_ROWS]
