"""Maps of the test videos by t-SNE, coloured by class: one for each row (TCLR's Figures 15 and 16)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from raysl.reports.figure import COLOURS, MARKERS, Figure, FigureInput, shortened, tidy
from raysl.reports.figures.class_accuracy import class_name
from raysl.reports.figures.neighbours import baseline_and_best_first
from raysl.reports.input import EvaluationRecord, RowInput

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("panel", "unit", "row", "seed", "label", "name", "x", "y")


def table(source: FigureInput) -> pd.DataFrame:
    """A line for each video on the map of a row's first seed; the baseline and the best row come first."""
    return tidy((line for row in baseline_and_best_first(source.table) for line in _row(row)), COLUMNS)


def _row(row: RowInput) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    for cell in row.cells:
        for label, record in cell.evaluations.items():
            if record is not None and record.details.get("map") and label not in seen:
                seen.add(label)
                head = {"panel": f"{row.name}, {label}, seed {cell.seed}", "unit": "", "row": row.name}
                yield from ({**head, "seed": cell.seed, **point} for point in _points(record))


def _points(record: EvaluationRecord) -> Iterator[dict[str, Any]]:
    found = record.details["map"]
    for path, x, y in zip(found["path"], found["x"], found["y"], strict=True):
        if path in record.answers:
            label = record.answers[path][0]
            yield {"label": label, "name": class_name([record], label), "x": x, "y": y}


def draw(data: pd.DataFrame, axes: Axes) -> None:
    for label in sorted(set(data["label"])):
        own = data[data["label"] == label]
        # By the class's number, so that it looks the same in every panel.
        colour, marker = COLOURS[label % len(COLOURS)], MARKERS[label // len(COLOURS) % len(MARKERS)]
        name = shortened(own["name"].iloc[0], 24, 1)
        axes.plot(own["x"], own["y"], marker, color=colour, markersize=2.5, linestyle="none", alpha=0.8, label=name)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xticks([])
    axes.set_yticks([])


def size(data: pd.DataFrame) -> tuple[float, float]:
    return 2.9, 2.9


FIGURE = Figure(
    title="Maps of the test videos (t-SNE)",
    caption=(
        "Features of test videos in two dimensions, by class; a row's first seed. A map is for the eye: neighbourhoods "
        "are kept, distances between clusters and their sizes are not."
    ),
    table=table,
    draw=draw,
    size=size,
    beside=3,
    most_panels=6,
    order=105,
)
