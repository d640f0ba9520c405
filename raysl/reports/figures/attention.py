"""Where the last feature map is strong, on frames if the videos are available (TCLR's Figures 17 to 20, CSTP's 6)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from raysl.reports.figure import BLACK, Figure, FigureInput, shortened, tidy
from raysl.reports.figures.class_accuracy import class_name
from raysl.reports.figures.neighbours import baseline_and_best_first
from raysl.reports.input import EvaluationRecord, RowInput

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("panel", "unit", "row", "seed", "example", "video", "correlation", "y", "x", "attention", "change", "pixels")
DRAWN = 3
"""Panels; no video of other panels is decoded."""
BELOW = 1.12
"""Distance from the upper maps to the lower ones, in widths of a frame."""
APART = 1.5


def table(source: FigureInput) -> pd.DataFrame:
    """A line for each position of each example's map, at each row's first seed, both as shares of their largest value.

    ``pixels`` is a picture of the video, if this machine has it, at its first position, and in no file.
    """
    return tidy(maps_of(source, "attention"), COLUMNS)


def maps_of(source: FigureInput, kind: str) -> Iterator[dict[str, Any]]:
    """The lines of `table`, with the column ``kind``, from the entry of that name in the details of evaluations."""
    found = [one for row in baseline_and_best_first(source.table) for one in _examples(row, kind)]
    for number, (row, evaluation, seed, record) in enumerate(found):
        yield from _maps(source, kind, row, evaluation, seed, record, with_pixels=number < DRAWN)


def _examples(row: RowInput, kind: str) -> Iterator[tuple[str, str, int, EvaluationRecord]]:
    """Row, evaluation, seed and result of the first seed of each evaluation that has maps."""
    seen: set[str] = set()
    for cell in row.cells:
        for label, record in cell.evaluations.items():
            if record is not None and kind in record.details and label not in seen:
                seen.add(label)
                yield row.name, label, cell.seed, record


def _maps(
    source: FigureInput, kind: str, row: str, evaluation: str, seed: int, record: EvaluationRecord, *, with_pixels: bool
) -> Iterator[dict[str, Any]]:
    head = {"panel": f"{row}, {evaluation}, seed {seed}", "unit": "", "row": row, "seed": seed}
    for number, example in enumerate(record.details[kind]):
        own = {**head, "example": number, "video": example["video"], "correlation": example["correlation"]}
        own["predicted"] = class_name([record], example["predicted"]) if "predicted" in example else ""
        pixels = source.frames(evaluation, record.snapshot, example["video"]) if with_pixels else None
        strengths, changes = np.array(example["map"]), np.array(example["change"])
        for y, x in np.ndindex(*strengths.shape):
            values = {kind: strengths[y, x], "change": changes[y, x]}
            yield {**own, "y": y, "x": x, **values, "pixels": pixels if (y, x) == (0, 0) else None}


def draw(data: pd.DataFrame, axes: Axes) -> None:
    draw_maps(data, axes, "attention")


def draw_maps(data: pd.DataFrame, axes: Axes, kind: str) -> None:
    """The maps of the column ``kind`` above, changes below."""
    titles = ((0.0, kind), (BELOW, "change"))
    for number, own in data.groupby("example"):
        left = APART * int(str(number))
        pixels = own["pixels"].iloc[0]
        for top, name in titles:
            if pixels is not None:
                wide = pixels.shape[1] / pixels.shape[0]
                extent = (left + 0.5 - wide / 2, left + 0.5 + wide / 2, top + 1, top)
                axes.imshow(pixels, extent=extent, interpolation="none")
            values = own.pivot(index="y", columns="x", values=name).to_numpy()
            # The network sees the centre square, whose side is the short side of the frame.
            square = (left, left + 1, top + 1, top)
            alpha = 0.6 if pixels is not None else 1.0
            axes.imshow(values, extent=square, cmap="inferno", vmin=0, vmax=1, alpha=alpha, interpolation="none")
        name, correlation = PurePosixPath(own["video"].iloc[0]).stem, own["correlation"].iloc[0] / 100
        predicted = own["predicted"].iloc[0] if "predicted" in own else ""
        said = "\n".join([*([shortened(predicted, 16, 1)] if predicted else []), shortened(name, 16, 2)])
        said += f"\nr = {correlation:.2f}"
        axes.text(left + 0.5, BELOW + 1.05, said, fontsize=5, ha="center", va="top", color=BLACK)
    for top, name in titles:
        axes.text(-0.3, top + 0.5, name.replace("_", " "), fontsize=6, rotation=90, ha="center", va="center")
    axes.set_xlim(-0.45, APART * data["example"].max() + 1.3)
    axes.set_ylim(BELOW + 1.6, -0.05)
    axes.set_aspect("equal")
    axes.axis("off")


def size(data: pd.DataFrame) -> tuple[float, float]:
    return 0.7 + 1.2 * (data["example"].max() + 1), 2.5


FIGURE = Figure(
    title="Where the network looks",
    caption=(
        "Above: mean over channels and time of the squared last feature map of a video's clip, each as a share of its "
        "largest value; below: how much the frames of that clip change. r: their correlation over the places. "
        "Pictures, where the machine that drew this has the videos, are one frame of each. The baseline stands first, "
        "then the best row."
    ),
    table=table,
    draw=draw,
    size=size,
    beside=1,
    most_panels=DRAWN,
    order=97,
    undrawn=("pixels",),
)
