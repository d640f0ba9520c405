"""Figures as files: the only module that imports matplotlib, and itself imported where something is drawn.

No window system and no global state: figures are made without pyplot, and saved by the backends for SVG and PNG. The
same data give the same bytes of SVG with the same version of matplotlib.
"""

from __future__ import annotations

import io
import logging
import textwrap
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd

from raysl.reports.figure import GREY, Figure, shortened

DPI = 110
MARGIN = 0.06


logging.getLogger("matplotlib").setLevel(logging.ERROR)
# It warns where its usual folder cannot be written (and keeps its cache in a temporary one), and of fonts: neither
# concerns who reads a report.
import matplotlib  # noqa: E402
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: E402
from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: E402
from matplotlib.figure import Figure as Canvas  # noqa: E402
from matplotlib.layout_engine import ConstrainedLayoutEngine  # noqa: E402

STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # which comes with matplotlib: the same on every machine
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
    with _style():
        canvas = _drawn(figure, data)
        return {name: save(canvas) for name, save in (("svg", _svg), ("png", _png)) if name in formats}


@contextmanager
def _style() -> Iterator[None]:
    """A glyph that the font lacks is drawn as a box, and no warning to a user."""
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
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
    caption = figure.caption
    if len(panels) > len(drawn):
        caption += f" {len(drawn)} of {len(panels)} panels are drawn; the CSV has all."
    lines = textwrap.wrap(caption, max(40, int(width * 21)))
    room = 0.14 * (len(lines) + 1)
    heights = [max(one for _, one in sizes[row * beside : (row + 1) * beside]) for row in range(below)]
    height = sum(heights) + room
    engine = ConstrainedLayoutEngine()
    canvas = Canvas(figsize=(width, height), dpi=DPI, layout=engine)
    FigureCanvasAgg(canvas)
    grid = canvas.add_gridspec(below, beside, height_ratios=heights)
    for position, (name, panel) in enumerate(drawn.items()):
        axes = canvas.add_subplot(grid[divmod(position, beside)])
        axes.set_title(shortened(str(name), int(10 * width / beside)), loc="left")
        figure.draw(panel, axes)
    _legend(canvas)
    canvas.text(MARGIN / width, MARGIN / height, "\n".join(lines), fontsize=6.5, color=GREY, va="bottom")
    engine.set(rect=(0, room / height, 1, 1 - room / height))
    engine.execute(canvas)
    canvas.set_layout_engine("none")  # saving would lay it out anew for each format, twice
    return canvas


def _legend(canvas: Canvas) -> None:
    """One for all panels, each label once."""
    known: dict[str, Any] = {}
    for axes in canvas.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            known.setdefault(label, handle)
    if known:
        longest = max(len(line) for label in known for line in label.split("\n"))
        columns = max(1, min(len(known), int(canvas.get_figwidth() * 15 / (longest + 7))))
        canvas.legend(known.values(), known.keys(), loc="outside upper left", ncols=columns)


def _svg(canvas: Canvas) -> bytes:
    out = io.StringIO()
    FigureCanvasSVG(canvas).print_svg(out, metadata={"Date": None, "Creator": None})
    return out.getvalue().encode(errors="backslashreplace")


def _png(canvas: Canvas) -> bytes:
    out = io.BytesIO()
    canvas.set_dpi(DPI)  # that of SVG is 72
    FigureCanvasAgg(canvas).print_png(out, metadata={"Software": None})
    return out.getvalue()
