"""Where the evidence for the predicted class is, on frames if the videos are available (CSTP's Figure 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from raysl.reports.figure import Figure, FigureInput, tidy
from raysl.reports.figures.attention import COLUMNS, DRAWN, draw_maps, maps_of, size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KIND = "class_activation"
OWN_COLUMNS = tuple(KIND if name == "attention" else name for name in COLUMNS)
OWN_COLUMNS = (*OWN_COLUMNS[:-1], "predicted", OWN_COLUMNS[-1])


def table(source: FigureInput) -> pd.DataFrame:
    """As that of `raysl.reports.figures.attention`, with the class that is predicted and the map of its evidence."""
    return tidy(maps_of(source, KIND), OWN_COLUMNS)


def draw(data: pd.DataFrame, axes: Axes) -> None:
    draw_maps(data, axes, KIND)


FIGURE = Figure(
    title="Where the evidence for a class lies",
    caption=(
        "Above: weights of the predicted class times the last feature map of a video's clip, mean over time, from its "
        "lowest to its highest value; below: how much the frames of that clip change. r: their correlation over the "
        "places. Under each video: the class that a linear classifier on the pooled features predicts. Pictures, where "
        "the machine that drew this has the videos, are one frame of each. The baseline stands first, then the "
        "best row."
    ),
    table=table,
    draw=draw,
    size=size,
    beside=1,
    most_panels=DRAWN,
    order=98,
    undrawn=("pixels",),
)
