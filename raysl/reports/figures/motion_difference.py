"""The motion in the classes of a pretext task, and where it differs (TaCo's Figure 5)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from raysl.reports.figure import BLACK, Figure, FigureInput, shortened, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KIND = "motion_difference"
COLUMNS = ("panel", "unit", "example", "video", "case", "y", "x", "right", "down", "difference")
DRAWN = 3
"""Videos of a panel."""
APART, BELOW = 1.15, 1.35
"""Distance of two squares, in their widths."""


def table(source: FigureInput) -> pd.DataFrame:
    """A line for each position of each case of a few videos: its flow, and how much the flows of the cases differ
    there.

    The numbers depend on no network: each evaluation is shown once, from the first row.
    """
    lines, seen = list[dict[str, Any]](), set[str]()
    for row in source.table.source.rows:
        for cell in row.cells:
            for label, record in cell.evaluations.items():
                if record is not None and KIND in record.details and label not in seen:
                    seen.add(label)
                    lines += _lines(label, record.details[KIND])
    return tidy(lines, COLUMNS)


def _lines(label: str, examples: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for number, example in enumerate(examples):
        flow = np.array(example["flow"])
        pairs = [(one, other) for other in range(len(flow)) for one in range(other)]
        apart = np.mean([np.linalg.norm(flow[one] - flow[other], axis=0) for one, other in pairs], axis=0)
        head = {"panel": label, "unit": "% of the side", "example": number, "video": example["video"]}
        for case, name in enumerate(example["cases"]):
            for y, x in np.ndindex(*apart.shape):
                right, down = flow[case, :, y, x]
                yield {**head, "case": name, "y": y, "x": x, "right": right, "down": down, "difference": apart[y, x]}


def draw(data: pd.DataFrame, axes: Axes) -> None:
    drawn = data[data["example"] < DRAWN]
    cases = list(dict.fromkeys(drawn["case"]))
    side = int(drawn["x"].max()) + 1
    longest = max(float(np.hypot(drawn["right"], drawn["down"]).max()), 1e-12)
    most = max(float(drawn["difference"].max()), 1e-12)
    for number, own in drawn.groupby("example"):
        top = BELOW * int(str(number))
        for column, case in enumerate(cases):
            one = own[own["case"] == case]
            x, y = (APART * column + (one["x"] + 0.5) / side, top + (one["y"] + 0.5) / side)
            arrows = (one["right"] / longest / side, one["down"] / longest / side)
            axes.quiver(x, y, *arrows, angles="xy", scale_units="xy", scale=1, width=0.003, color=BLACK)
            axes.plot(*_frame(APART * column, top), color=BLACK, linewidth=0.4)
        left = APART * len(cases)
        values = own[own["case"] == cases[0]].pivot(index="y", columns="x", values="difference").to_numpy()
        extent = (left, left + 1, top + 1, top)
        axes.imshow(values, extent=extent, cmap="inferno", vmin=0, vmax=most, interpolation="none")
        name = shortened(PurePosixPath(own["video"].iloc[0]).stem, 40, 1)
        axes.text(0, top + 1.04, name, fontsize=5, va="top", color=BLACK)
    for column, name in enumerate([*cases, "difference"]):
        axes.text(APART * column + 0.5, -0.05, shortened(name, 16, 1), fontsize=5.5, ha="center", va="bottom")
    axes.set_xlim(-0.05, APART * (len(cases) + 1))
    axes.set_ylim(BELOW * (int(drawn["example"].max()) + 1), -0.25)
    axes.set_aspect("equal")
    axes.axis("off")


def _frame(left: float, top: float) -> tuple[list[float], list[float]]:
    return [left, left + 1, left + 1, left, left], [top, top, top + 1, top + 1, top]


def size(data: pd.DataFrame) -> tuple[float, float]:
    examples = min(DRAWN, int(data["example"].max()) + 1)
    return 0.4 + 1.0 * (data["case"].nunique() + 1), 0.5 + 1.2 * examples


FIGURE = Figure(
    title="Motion of a task's cases",
    caption=(
        "Optical flow (RAFT) of each answer's clips at one place of a video, means over pairs of frames and views; the "
        "longest arrow of a panel is as long as a place is wide. Right: how far the cases' flows lie apart, the mean "
        "over pairs of cases. A flow of means may be smaller than the mean length in the table."
    ),
    table=table,
    draw=draw,
    size=size,
    beside=2,
    most_panels=6,
    order=110,
)
