"""The curves of a study's cells, thinned for figures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from raysl.reports.input import CellResult, RowInput
from raysl.results import Store

POINTS = 60
"""Of a curve, each the mean over as many steps as that takes."""

PARTS = ("loss/", "metric/", "optimizer/learning_rate")
COLUMNS = ("row", "seed", "name", "step", "epoch", "value")


def read_curves(store: Store, rows: Sequence[RowInput]) -> pd.DataFrame:
    """The curves of finished cells as a tidy table (`raysl.reports.figure.FigureInput`).

    Over folds a seed has a curve for each; what is not a number stays none: a mean over it is none.
    """
    known: dict[str, pd.DataFrame | None] = {}
    found = [one for row in rows for one in _of_row(store, row, known)]
    if not found:
        return pd.DataFrame(columns=list(COLUMNS))
    curves = pd.concat(found, ignore_index=True)
    for name, values in (("row", [row.name for row in rows]), ("name", dict.fromkeys(curves["name"]))):
        curves[name] = pd.Categorical(curves[name], categories=list(values))
    return curves


def _of_row(store: Store, row: RowInput, known: dict[str, pd.DataFrame | None]) -> Iterator[pd.DataFrame]:
    cells = [cell for one in row.cells for cell in one.parts or (one,) if cell.status == "done" and cell.cell]
    frames = [(cell, frame) for cell in cells if (frame := _curves(store, cell, known)) is not None and len(frame)]
    longest = max((int(frame["step"].max()) for _, frame in frames), default=0)
    for cell, frame in frames:
        for part in _thinned(frame, max(1, math.ceil(longest / POINTS))):
            yield part.assign(row=row.name, seed=cell.seed)[list(COLUMNS)]


def _curves(store: Store, cell: CellResult, known: dict[str, pd.DataFrame | None]) -> pd.DataFrame | None:
    if cell.cell not in known:
        known[cell.cell] = store.named(cell.cell).curves()
    return known[cell.cell]


def _thinned(frame: pd.DataFrame, width: int) -> Iterator[pd.DataFrame]:
    """Means over ``width`` steps, each at the last of them."""
    names = [str(name) for name in frame.columns if str(name).startswith(PARTS)]
    steps = frame["step"].to_numpy()
    bins = (steps - 1) // width
    starts = np.flatnonzero(np.r_[True, bins[1:] != bins[:-1]])
    ends = np.r_[starts[1:], len(steps)] - 1
    values = frame[names].to_numpy(np.float64)
    means = np.add.reduceat(values, starts, axis=0) / np.diff(np.r_[starts, len(steps)])[:, None]
    yield pd.DataFrame(
        {
            "name": np.repeat(names, len(starts)),
            "step": np.tile(steps[ends], len(names)),
            "epoch": np.tile(frame["epoch"].to_numpy()[ends], len(names)),
            "value": means.T.ravel(),
        }
    )
