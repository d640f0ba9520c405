"""The curves of a store's cells, each file read once and thinned by one rule, for figures and the page."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from raysl.errors import ObstructedError
from raysl.reports.figure import NO_CURVES, plain
from raysl.reports.input import CellResult, RowInput
from raysl.results import Store

POINTS = 60
"""Of a curve, at most: each the mean over as many steps as that takes, a power of two."""

PARTS = ("loss/", "metric/", "optimizer/learning_rate")
_log = logging.getLogger(__name__)


@dataclass
class CurveReader:
    """Curves by the names of cells' folders; of as many as there may be, what is kept of each is small."""

    store: Store
    _known: dict[str, pd.DataFrame | None] = field(default_factory=dict)

    def of(self, cell: str) -> pd.DataFrame | None:
        """A column for each curve, and ``step`` and ``epoch``; thinned.

        None where there are none, and where they cannot be read, which is logged: a table stands without its curves.
        """
        if cell not in self._known:
            found = self._read(cell)
            self._known[cell] = None if found is None else thinned(found, width_for(found))
        return self._known[cell]

    def _read(self, cell: str) -> pd.DataFrame | None:
        try:
            found = self.store.named(cell).curves()
        except ObstructedError as error:
            _log.warning("curves left out: %s", error)
            return None
        if found is None:
            return None
        numbers = found.select_dtypes("number")
        if not {"step", "epoch"} <= set(numbers.columns):
            _log.warning("curves of cells/%s left out: their steps are no numbers", cell)
            return None
        return numbers


def width_for(curves: pd.DataFrame, points: int = POINTS) -> int:
    """Over how many steps a point is the mean. Widths are powers of two, so that thinning again splits no stretch."""
    last = max(int(curves["step"].max()), 1) if len(curves) else 1
    width: int = 2 ** max(0, math.ceil(math.log2(last / points)))
    return width


def thinned(curves: pd.DataFrame, width: int) -> pd.DataFrame:
    """Means of the known values over stretches of ``width`` steps, each at its last step; none where none is known."""
    names = ["step", "epoch", *(str(name) for name in curves.columns if str(name).startswith(PARTS))]
    stretches = (curves["step"].to_numpy() - 1) // width
    starts = np.flatnonzero(np.diff(stretches, prepend=stretches[:1] - 1))
    values = curves[names].to_numpy(np.float64)
    known = np.isfinite(values)
    counts = np.add.reduceat(known, starts, axis=0, dtype=np.int64)
    sums = np.add.reduceat(np.where(known, values, 0.0), starts, axis=0)
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    ends = np.append(starts[1:], len(curves)) - 1
    means[:, :2] = values[ends, :2]
    return pd.DataFrame(means, columns=names).astype({"step": np.int64, "epoch": np.int64})


def read_curves(reader: CurveReader, rows: Sequence[RowInput]) -> pd.DataFrame:
    """The curves of finished cells as a tidy table (`raysl.reports.figure.FigureInput`).

    Those of a row have their steps in common. Over folds a seed has a curve for each.
    """
    found = [one for row in rows for one in _of_row(reader, row)]
    if not found:
        return pd.DataFrame(columns=list(NO_CURVES))
    curves = pd.concat(found, ignore_index=True)
    for name, values in (("row", [plain(row.name) for row in rows]), ("name", dict.fromkeys(curves["name"]))):
        curves[name] = pd.Categorical(curves[name], categories=list(values))
    return curves


def _of_row(reader: CurveReader, row: RowInput) -> Iterator[pd.DataFrame]:
    cells: list[CellResult] = [cell for one in row.cells for cell in one.parts or (one,)]
    done = [cell for cell in cells if cell.status == "done" and cell.cell]
    frames = [(cell, frame) for cell in done if (frame := reader.of(cell.cell)) is not None and len(frame)]
    width = max((width_for(frame) for _, frame in frames), default=1)
    for cell, frame in frames:
        part = thinned(frame, width).melt(["step", "epoch"], var_name="name")
        yield part.assign(row=plain(row.name), seed=cell.seed)[list(NO_CURVES)]
