"""The base of figures: from a study's results to a tidy table, and from this to axes. It does not import matplotlib."""

from __future__ import annotations

import importlib
import pkgutil
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len, chop_cells

from raysl.errors import ConfigError, printable
from raysl.reports import figures as package
from raysl.reports.axes import Axis
from raysl.reports.input import RowInput
from raysl.reports.table import Table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from raysl.reports.seen_clips import SeenVideo

MOST_ROWS = 40
"""The most lines of a figure that can be distinguished; its CSV has all."""

LEFT_OUT = "left_out"
"""Key in the attributes of a figure's table: text after the caption."""

NO_CURVES = ("row", "seed", "name", "step", "epoch", "value")
"""Columns of `FigureInput.curves`."""


def no_clips(row: str) -> None:
    """No video is on this machine."""


def no_frames(label: str, snapshot: str, path: str) -> None:
    """No video is on this machine."""


def _no_rows(*columns: str) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns=list(columns))


@dataclass(frozen=True)
class FigureInput:
    """The input of figures.

    Attributes:
        table: of the study.
        curves: of the cells of `rows_with_curves`, thinned: row, seed, name (``loss/total``), step, epoch, value.
        axes: numbers that rows, or evaluations, differ in.
        levels: of a grid: from row to axis to the name of its value.
        frames: a picture ``[height, width, 3]`` of an evaluation's video, by the evaluation's label, the hash of its
            data set and the video's path; None if this machine does not have the video.
        downstream: curves of the cells that evaluations of these rows train, with the evaluation's label.
        clips: what a row's network sees of a training video; None if this machine does not have the video.
    """

    table: Table
    curves: pd.DataFrame = field(default_factory=lambda: _no_rows(*NO_CURVES))
    axes: tuple[Axis, ...] = ()
    levels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    frames: Callable[[str, str, str], NDArray[np.uint8] | None] = no_frames
    downstream: pd.DataFrame = field(default_factory=lambda: _no_rows("label", *NO_CURVES))
    clips: Callable[[str], SeenVideo | None] = no_clips


@dataclass(frozen=True)
class Figure:
    """What the module of a figure exports as ``FIGURE``; its name is the module's.

    Attributes:
        title: what it shows, in a few words.
        caption: explains its marks, below it.
        table: its data, tidy: a line for each thing that is drawn, with ``panel``, the axes it is drawn on. Empty
            where the study has nothing of it, and then nothing is drawn.
        draw: the lines of one panel onto its axes, which have the panel's name for a title.
        size: width and height of a panel in inches, from its lines.
        beside: panels side by side, at most.
        most_panels: that are drawn; the others are in the CSV alone.
        order: sorts the figures of a report.
        undrawn: columns of the table that are no text or number, and not in the CSV.
    """

    title: str
    caption: str
    table: Callable[[FigureInput], pd.DataFrame]
    draw: Callable[[pd.DataFrame, Axes], None]
    size: Callable[[pd.DataFrame], tuple[float, float]]
    beside: int = 2
    most_panels: int = 12
    order: int = 100
    undrawn: tuple[str, ...] = ()


@cache
def find_figures(others: tuple[str, ...] = ()) -> Mapping[str, Figure]:
    """All figures by name, in the order of a report.

    Args:
        others: import paths of modules in other packages that end with ``FIGURE = Figure(...)``, as a component's do;
            a path is the figure's name.

    Raises:
        ConfigError: there is no such module, or it has no figure.
    """
    names = [module.name for module in pkgutil.iter_modules(package.__path__) if not module.name.startswith("_")]
    known = {name: _figure(f"{package.__name__}.{name}") for name in names} | {name: _figure(name) for name in others}
    return dict(sorted(known.items(), key=lambda item: (item[1].order, item[0])))


def _figure(path: str) -> Figure:
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name is not None and (path == error.name or path.startswith(f"{error.name}.")):
            raise ConfigError(f"figure {path!r}: there is no module of this name to import") from error
        raise
    figure = getattr(module, "FIGURE", None)
    if not isinstance(figure, Figure):
        raise ConfigError(f"figure {path!r}: the module does not end with FIGURE = Figure(...)")
    return figure


BLACK, GREY, LIGHT = "#000000", "#767676", "#dddddd"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's colours, which colour-blind readers can distinguish, without yellow, which is invisible on white."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES: tuple[tuple[int, tuple[float, ...]], ...] = (
    (0, ()),
    (0, (5, 1.5)),
    (0, (1.2, 1.2)),
    (0, (6, 1.5, 1.2, 1.5)),
    (0, (6, 1.5, 1.2, 1.5, 1.2, 1.5)),
    (0, (3, 3)),
)
"""One fewer than colours, so that neighbours differ in both."""


def look(position: int) -> tuple[str, str, tuple[int, tuple[float, ...]]]:
    """Colour, marker and dashes of the n-th line; 42 are different, also in grey."""
    kind = position % len(COLOURS)
    return COLOURS[kind], MARKERS[kind], DASHES[position % len(DASHES)]


def tidy(lines: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """The lines as a table with these columns, whether there are any or not."""
    import pandas as pd

    return pd.DataFrame(
        [{name: plain(value) if isinstance(value, str) else value for name, value in line.items()} for line in lines],
        columns=list(columns),
    )


def with_rows_read(data: pd.DataFrame, source: FigureInput) -> pd.DataFrame:
    """A table from curves, which are read only for `rows_with_curves`: the figure names the number of rows."""
    rows = len(source.table.rows)
    if rows > MOST_ROWS:
        data.attrs[LEFT_OUT] = f" It is of {MOST_ROWS} of {rows} rows, as is the CSV."
    return data


def lines_of(data: pd.DataFrame) -> list[Any]:
    """Its lines as named tuples."""
    return list(data.itertuples())


def plain(text: str) -> str:
    """Text for a table: undecodable bytes of a file name are escaped, as in the other files."""
    return text.encode(errors="backslashreplace").decode()


def shortened(text: str, width: int = 30, lines: int = 2) -> str:
    """User text in a figure: on a few lines, with an ellipsis in its middle if it is still longer."""
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


def rows_with_curves(rows: Sequence[RowInput], baseline: str | None) -> tuple[RowInput, ...]:
    """The rows whose curves are read: `MOST_ROWS`, including the baseline. All curves may be a thousand files."""
    kept = {row.name for row in sorted(rows, key=lambda row: row.name != baseline)[:MOST_ROWS]}
    return tuple(row for row in rows if row.name in kept)
