"""Contact sheets of retrieval: a few test videos, each with the training videos that are nearest to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pandas as pd

from raysl.reports.figure import BLACK, COLOURS, Figure, FigureInput, lines_of, shortened, tidy
from raysl.reports.input import Column, EvaluationRecord, RowInput
from raysl.reports.pairs import result
from raysl.reports.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("panel", "unit", "row", "seed", "query", "rank", "video", "class_name", "right", "pixels")
WIDTH, HEIGHT, BELOW = 0.9, 0.675, 1.05
"""Size of a picture's place, and distance from one query to the next; ranks are 1 apart."""
LOOKS: Mapping[bool, tuple[str, Any, str]] = {
    True: (COLOURS[2], "-", "✓ "),
    False: (COLOURS[1], (0, (2, 1)), "✗ "),
}
"""From whether a neighbour is of the query's class to the style of its frame and a mark."""
DRAWN = 2
"""Panels: a picture takes some 3 kB."""
GAP = 0.35
"""Distance between a query and its neighbours, in widths of a picture."""


def table(source: FigureInput) -> pd.DataFrame:
    """A line for each picture, at each row's first seed: rank 0 is the query, 1 the nearest.

    ``pixels`` is a picture of the video, if this machine has it, and in no file.
    """
    found = source.table
    sheets = ((row, column) for column in found.source.columns for row in baseline_and_best_first(found))
    known = [one for one in (_examples(*sheet) for sheet in sheets) if one is not None]
    return tidy((line for number, one in enumerate(known) for line in _sheet(source, one, number < DRAWN)), COLUMNS)


def baseline_and_best_first(found: Table) -> list[RowInput]:
    """The baseline and the row with the highest mean of the first headline metric first: few panels are drawn."""
    first = [found.source.baseline, _best(found)]
    return sorted(found.source.rows, key=lambda row: first.index(row.name) if row.name in first else len(first))


def _best(found: Table) -> str:
    means = [(row.entries[position].sample.mean, row.name) for position in found.shown[:1] for row in found.rows]
    return max(((mean, name) for mean, name in means if mean is not None), default=(0.0, ""))[1]


def _examples(row: RowInput, column: Column) -> tuple[str, str, int, EvaluationRecord] | None:
    """Row, evaluation, seed and result, if this is its headline metric and it has examples."""
    for cell in row.cells:
        record = result(cell, column)
        if record is not None:
            is_known = record.headline == column.metric and "examples" in record.details
            return (row.name, column.evaluation, cell.seed, record) if is_known else None
    return None


def _sheet(
    source: FigureInput, found: tuple[str, str, int, EvaluationRecord], with_pixels: bool
) -> Iterator[dict[str, Any]]:
    row, evaluation, seed, record = found
    for number, example in enumerate(record.details["examples"]):
        videos = zip([example["query"], *example["nearest"]], [example["class"], *example["classes"]], strict=True)
        for rank, (video, name) in enumerate(videos):
            yield {
                **{"panel": f"{row}, {evaluation}, seed {seed}", "unit": "", "row": row, "seed": seed},
                **{"query": number, "rank": rank, "video": video},
                **{"class_name": name, "right": name == example["class"]},
                "pixels": source.frames(evaluation, record.snapshot, video) if with_pixels else None,
            }


def draw(data: pd.DataFrame, axes: Axes) -> None:
    for line in lines_of(data):
        _place(line, line.rank + (GAP if line.rank else 0.0), line.query * BELOW, axes)
    axes.set_xlim(-0.05, data["rank"].max() + GAP + 1)
    axes.set_ylim((data["query"].max() + 1) * BELOW, -0.1)
    axes.set_aspect("equal")
    axes.axis("off")


def _place(line: Any, left: float, top: float, axes: Axes) -> None:
    """One picture in its frame, or its name, with its class below."""
    colour, dashes, mark = LOOKS[bool(line.right)] if line.rank else (BLACK, "-", "")
    if line.pixels is None:
        name = shortened(PurePosixPath(line.video).stem, 13, 3)
        axes.text(left + WIDTH / 2, top + HEIGHT / 2, name, fontsize=4.5, ha="center", va="center")
    else:
        axes.imshow(line.pixels, extent=_fitted(line.pixels.shape, left, top), interpolation="none", zorder=1)
    right, bottom = left + WIDTH, top + HEIGHT
    corners = [left, right, right, left, left], [top, top, bottom, bottom, top]
    axes.plot(*corners, color=colour, linestyle=dashes, linewidth=1.8 if line.rank else 1, zorder=2)
    text = mark + shortened(line.class_name, 15, 1)
    axes.text(left + WIDTH / 2, bottom + 0.05, text, fontsize=5, ha="center", va="top", color=colour)


def _fitted(shape: tuple[int, ...], left: float, top: float) -> tuple[float, float, float, float]:
    """The largest rectangle in its place for a picture of this height and width: left, right, bottom, top."""
    scale = min(WIDTH / shape[1], HEIGHT / shape[0])
    width, height = scale * shape[1], scale * shape[0]
    left, top = left + (WIDTH - width) / 2, top + (HEIGHT - height) / 2
    return left, left + width, top + height, top


def size(data: pd.DataFrame) -> tuple[float, float]:
    return 0.8 * (data["rank"].max() + 1 + GAP), 0.4 + 0.8 * BELOW * (data["query"].max() + 1)


FIGURE = Figure(
    title="Nearest neighbours",
    caption=(
        "Left: test videos; right of them the training videos whose features are nearest, at the row's first seed. "
        "✓ and a whole frame: of the query's class; ✗ and a dashed one: of another. Names stand where the videos are "
        "not on the machine that drew this. The baseline stands first, then the best row."
    ),
    table=table,
    draw=draw,
    size=size,
    most_panels=DRAWN,
    order=95,
    undrawn=("pixels",),
)
