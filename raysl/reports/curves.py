"""The curves of a store's cells, each file read once and thinned by one rule, for figures and the page."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from raysl.errors import ObstructedError
from raysl.reports.figure import NO_CURVES, plain
from raysl.reports.input import CellResult, RowInput
from raysl.results import Store

if TYPE_CHECKING:
    import pandas as pd

POINTS = 60
"""The most points of a curve: each is the mean over a number of steps, a power of two."""

STEPS = ("step", "epoch")
MONITOR = "monitor/"
"""Prefix of columns with values at a few steps only, those with a measurement."""
PARTS = ("loss/", "metric/", "optimizer/learning_rate", "optimizer/weight_penalty", MONITOR)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CellCurves:
    """The curves of one cell.

    Shapes: P points, N curves.

    Attributes:
        steps, epochs: ``[P]``. values: ``[P, N]``.
    """

    names: tuple[str, ...]
    steps: NDArray[np.int64]
    epochs: NDArray[np.int64]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, columns: Mapping[str, NDArray[np.float64]]) -> CellCurves | None:
        """From the columns of ``curves.csv``; None if it has no steps, or they are no numbers."""
        if not {"step", "epoch"} <= set(columns) or not all(np.isfinite(columns[name]).all() for name in STEPS):
            return None
        names = tuple(name for name in columns if name.startswith(PARTS))
        steps, epochs = (columns[name].astype(np.int64) for name in STEPS)
        return cls(names, steps, epochs, np.array([columns[name] for name in names]).T.reshape(len(steps), len(names)))

    def width_for(self, points: int = POINTS) -> int:
        """Number of steps that a point is the mean over: a power of two, so that thinning again splits no stretch."""
        last = max(int(self.steps.max()), 1) if len(self.steps) else 1
        width: int = 2 ** max(0, math.ceil(math.log2(last / points)))
        return width

    def thinned(self, width: int) -> CellCurves:
        """Means over the known values of each stretch of ``width`` steps, at its last step; NaN if there are none."""
        stretches = (self.steps - 1) // width
        starts = np.flatnonzero(np.diff(stretches, prepend=stretches[:1] - 1))
        if len(starts) == len(self.steps):
            return self
        known = np.isfinite(self.values)
        counts = np.add.reduceat(known, starts, axis=0, dtype=np.int64)
        sums = np.add.reduceat(np.where(known, self.values, 0.0), starts, axis=0)
        means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
        ends = np.append(starts[1:], len(self.steps)) - 1
        return CellCurves(self.names, self.steps[ends], self.epochs[ends], means)


@dataclass
class CurveReader:
    """Curves by the names of cells' folders; each is thinned, so that many fit into memory."""

    store: Store
    _known: dict[str, CellCurves | None] = field(default_factory=dict)

    def of(self, cell: str) -> CellCurves | None:
        """The thinned curves; None if there are none, or (logged) if they cannot be read: a table needs no curves."""
        if cell not in self._known:
            found = self._read(cell)
            self._known[cell] = None if found is None else found.thinned(found.width_for())
        return self._known[cell]

    def read(self, cells: Sequence[str]) -> None:
        """Reads several; from a bucket at the same time."""
        self.store.of_cells(self.of, [cell for cell in dict.fromkeys(cells) if cell not in self._known])

    def _read(self, cell: str) -> CellCurves | None:
        try:
            columns = self.store.named(cell).curves_of((*STEPS, *PARTS))
        except ObstructedError as error:
            _log.warning("curves left out: %s", error)
            return None
        if columns is None:
            return None
        found = CellCurves.of(columns)
        if found is None:
            _log.warning("curves of cells/%s left out: their steps are no numbers", cell)
        return found


def read_curves(reader: CurveReader, rows: Sequence[RowInput]) -> pd.DataFrame:
    """The curves of finished cells as a tidy table (`raysl.reports.figure.FigureInput`).

    Curves of a row have their steps in common. With folds a seed has a curve for each.
    """
    import pandas as pd

    reader.read([cell.cell for row in rows for cell in _done(row)])
    found = [one for row in rows for one in _of_row(reader, row)]
    if not found:
        return pd.DataFrame(columns=list(NO_CURVES))
    curves = pd.concat(found, ignore_index=True)
    for name, values in (("row", [plain(row.name) for row in rows]), ("name", dict.fromkeys(curves["name"]))):
        curves[name] = pd.Categorical(curves[name], categories=list(values))
    return curves


def read_downstream(reader: CurveReader, rows: Sequence[RowInput]) -> pd.DataFrame:
    """The curves of the finished cells that evaluations train, with the evaluation's label."""
    import pandas as pd

    labels = dict.fromkeys(label for row in rows for cell in row.cells for label, _ in cell.behind)
    found = []
    for label in labels:
        behind = [
            RowInput(row.name, tuple(one for cell in row.cells for own, one in cell.behind if own == label))
            for row in rows
        ]
        curves = read_curves(reader, behind)
        found += [curves.assign(label=label)] if len(curves) else []
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=["label", *NO_CURVES])


def _done(row: RowInput) -> list[CellResult]:
    cells: list[CellResult] = [cell for one in row.cells for cell in one.parts or (one,)]
    return [cell for cell in cells if cell.status == "done" and cell.cell]


def _of_row(reader: CurveReader, row: RowInput) -> Iterator[pd.DataFrame]:
    found = [
        (cell, curves) for cell in _done(row) if (curves := reader.of(cell.cell)) is not None and len(curves.steps)
    ]
    width = max((curves.width_for() for _, curves in found), default=1)
    for cell, curves in found:
        yield _tidy(row, cell, curves.thinned(width))


def _tidy(row: RowInput, cell: CellResult, curves: CellCurves) -> pd.DataFrame:
    import pandas as pd

    points, count = curves.values.shape
    columns = {
        "row": plain(row.name),
        "seed": cell.seed,
        "name": np.repeat(np.array(curves.names, dtype=object), points),
        "step": np.tile(curves.steps, count),
        "epoch": np.tile(curves.epochs, count),
        "value": curves.values.T.ravel(),
    }
    return pd.DataFrame(columns, columns=list(NO_CURVES))
