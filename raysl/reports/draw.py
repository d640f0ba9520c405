"""Figures as files: the only module that imports matplotlib, imported only to draw.

No window system and no global state: figures are made without pyplot, and saved by the backends for SVG and PNG. The
same data give the same bytes of SVG with the same version of matplotlib.
"""

from __future__ import annotations

import io
import logging
import re
import textwrap
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, cast

import pandas as pd
from rich.cells import cell_len

from raysl.errors import JOINERS, printable
from raysl.notes import say_once
from raysl.reports.figure import GREY, LEFT_OUT, MOST_ROWS, Figure, shortened

DPI = 110
MARGIN, LINE = 0.06, 0.14
"""Inches: margin of the caption, and height of a line of small text."""


logging.getLogger("matplotlib").setLevel(logging.ERROR)
# It warns if its usual folder cannot be written (and uses a temporary one for its cache), and about fonts: neither
# matters to a reader of a report.
import matplotlib  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: E402
from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: E402
from matplotlib.figure import Figure as Canvas  # noqa: E402
from matplotlib.font_manager import findfont, fontManager, get_font  # noqa: E402
from matplotlib.layout_engine import ConstrainedLayoutEngine  # noqa: E402
from matplotlib.ticker import FixedLocator  # noqa: E402

FONT = "DejaVu Sans"
"""Comes with matplotlib, so it is the same everywhere. It has Latin, Greek, Cyrillic, Arabic, Hebrew and signs."""
FALLBACKS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Noto Sans SC", "Noto Sans JP", "Noto Sans KR"),
    *("Source Han Sans CN", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Droid Sans Fallback", "IPAGothic"),
    *("NanumGothic", "PingFang SC", "Hiragino Sans", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic"),
    *("Noto Sans Devanagari", "Noto Sans Thai", "Noto Sans Bengali", "FreeSans", "FreeSerif"),
    *("Noto Emoji", "Symbola", "Segoe UI Emoji", "Unifont", "Unifont Upper"),
)
"""Fonts of the system, if installed, for characters that `FONT` lacks."""
NO_GLYPH = (
    "names of this report have characters that no font on this machine has: figures as PNG show boxes for them, SVG "
    "keeps the text; install a font that has them (Noto Sans CJK, Noto Emoji) and report again"
)
COORDINATES, DECIMALS = re.compile(r' (?:d|x|y)="[^"]*"'), re.compile(r"(\.\d\d)\d+")
"""Attributes of an SVG to round, and the digits to cut off."""
UNNAMED = re.compile(r"_(child\d+|container\d+|nolegend_)")
"""Labels that matplotlib generates."""

STYLE: dict[str, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "hatch.linewidth": 0.5,
    "text.parse_math": False,  # $ in the name of a row is a $
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "raysl",  # ids of elements
    "path.simplify": False,
}


def draw(figure: Figure, data: pd.DataFrame, formats: Collection[str]) -> dict[str, bytes]:
    """The drawing in each of the formats ``svg`` and ``png``.

    Args:
        data: of the figure's table; not empty.
    """
    with _style(fonts_for(characters_of(figure, data))):
        canvas = _drawn(figure, data)
        return {name: save(canvas) for name, save in (("svg", _svg), ("png", _png)) if name in formats}


def characters_of(figure: Figure, data: pd.DataFrame) -> set[str]:
    """All characters of the figure's texts."""
    words = (data[name].unique() for name in data.columns if name not in figure.undrawn)
    return {one for values in words for word in values if isinstance(word, str) for one in printable(word)}


def fonts_for(characters: Collection[str]) -> list[str]:
    """`FONT`, and installed `FALLBACKS` for characters that it lacks.

    If none has them, a note is given once: a PNG shows boxes. A figure without such characters is the same everywhere.
    """
    lacking, found = {one for one in characters if ord(one) not in _glyphs(FONT)} - JOINERS, [FONT]
    installed = {entry.name for entry in fontManager.ttflist} if lacking else set()
    for name in FALLBACKS:
        covered = {one for one in lacking if ord(one) in _glyphs(name)} if lacking and name in installed else set()
        if covered:
            found.append(name)
            lacking -= covered
    if lacking:
        say_once(NO_GLYPH)
    return found


@cache
def _glyphs(family: str) -> frozenset[int]:
    return frozenset(get_font(findfont(family)).get_charmap())


@contextmanager
def _style(fonts: Sequence[str]) -> Iterator[None]:
    """Suppresses warnings about a glyph that the fonts lack: it is drawn as a box."""
    with matplotlib.rc_context(cast(Any, STYLE | {"font.family": list(fonts)})), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font")
        warnings.filterwarnings("ignore", r"Matplotlib currently does not support \w+ natively")
        yield


def _drawn(figure: Figure, data: pd.DataFrame) -> Canvas:
    panels = dict(list(data.groupby("panel", sort=False)))
    drawn = dict(list(panels.items())[: figure.most_panels])
    beside = min(figure.beside, len(drawn))
    below = -(-len(drawn) // beside)
    sizes = [figure.size(lines) for lines in drawn.values()]
    width = beside * max(one for one, _ in sizes)
    lines = textwrap.wrap(
        figure.caption + data.attrs.get(LEFT_OUT, "") + _left_out(panels, drawn), max(40, int(width * 21))
    )
    heights = [max(one for _, one in sizes[row * beside : (row + 1) * beside]) for row in range(below)]
    engine = ConstrainedLayoutEngine()
    canvas = Canvas(figsize=(width, sum(heights)), dpi=DPI, layout=engine)
    FigureCanvasAgg(canvas)
    grid = canvas.add_gridspec(below, beside, height_ratios=heights)
    panel_axes: list[Axes] = []
    for position, (name, panel) in enumerate(drawn.items()):
        axes = canvas.add_subplot(grid[divmod(position, beside)])
        panel_axes.append(axes)
        axes.set_title(shortened(str(name), int(10 * width / beside)), loc="left", y=1.0)
        figure.draw(panel, axes)
    _share_names(panel_axes, beside)
    room = LINE * (len(lines) + 1)
    height = sum(heights) + _legend(canvas) + room
    canvas.set_size_inches(width, height)
    canvas.text(MARGIN / width, MARGIN / height, "\n".join(lines), fontsize=6.5, color=GREY, va="bottom")
    engine.set(rect=(0, room / height, 1, 1 - room / height))
    engine.execute(canvas)
    canvas.set_layout_engine("none")  # saving would compute the layout again for each format, twice
    return canvas


def _share_names(panels: Sequence[Axes], beside: int) -> None:
    """Adjacent panels with the same row names show them once, on the left."""
    fixed = [isinstance(axes.yaxis.get_major_locator(), FixedLocator) for axes in panels]
    names = [
        [label.get_text() for label in axes.get_yticklabels()] if one else []
        for axes, one in zip(panels, fixed, strict=True)
    ]
    for position, axes in enumerate(panels):
        if position % beside and names[position] and names[position] == names[position - 1]:
            axes.tick_params(labelleft=False)


def _left_out(panels: Mapping[Any, pd.DataFrame], drawn: Mapping[Any, pd.DataFrame]) -> str:
    """A remark if the figure does not draw everything."""
    rows = max((lines["row"].nunique() for lines in drawn.values() if "row" in lines), default=0)
    said = f" {MOST_ROWS} of {rows} rows are drawn; the CSV has all." if rows > MOST_ROWS else ""
    if len(panels) > len(drawn):
        said += f" {len(drawn)} of {len(panels)} panels are drawn; the CSV has all."
    return said


def _legend(canvas: Canvas) -> float:
    """Draws one legend for all panels, each label once; returns its height in inches."""
    known: dict[str, Any] = {}
    for axes in canvas.axes:
        artists: list[Any] = [*axes.lines, *axes.patches, *axes.collections, *axes.containers]
        for artist in artists:
            label = str(artist.get_label())
            if label and not UNNAMED.fullmatch(label):
                known.setdefault(label, artist)
    if not known:
        return 0.0
    longest = max(cell_len(line) for label in known for line in label.split("\n"))
    columns = max(1, min(len(known), int(canvas.get_figwidth() * 15 / (longest + 7))))
    legend = canvas.legend(known.values(), map(str, range(len(known))), loc="outside upper left", ncols=columns)
    for text, label in zip(legend.get_texts(), known, strict=True):
        text.set_text(label)  # one that begins with an underscore would be left out
    lines = max(label.count("\n") + 1 for label in known)
    return LINE * (lines + 0.2) * -(-len(known) // columns)


def _svg(canvas: Canvas) -> bytes:
    out = io.StringIO()
    drawing: Any = FigureCanvasSVG(canvas)
    drawing.print_svg(out, metadata={"Date": None, "Creator": None})
    return COORDINATES.sub(_rounded, out.getvalue()).encode(errors="backslashreplace")


def _rounded(attribute: re.Match[str]) -> str:
    """Rounds to hundredths of a point: six decimals are two fifths of the file."""
    return DECIMALS.sub(r"\1", attribute[0])


def _png(canvas: Canvas) -> bytes:
    out = io.BytesIO()
    canvas.set_dpi(DPI)  # that of SVG is 72
    drawing: Any = FigureCanvasAgg(canvas)
    # zlib's sixth level took 26 ms of a figure instead of 18, for a file 8 % smaller.
    drawing.print_png(out, metadata={"Software": None}, pil_kwargs={"compress_level": 2})
    return out.getvalue()
