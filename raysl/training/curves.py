"""Curves: one row per logged step."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from raysl.training.memory import MEMORY
from raysl.training.monitored import PREFIX
from raysl.training.step_values import StepValues

OPTIONAL = (PREFIX, MEMORY)
"""Prefixes of columns that not every row has: they are NaN where nothing was measured."""
INTEGER_COLUMNS = ("step", "epoch", "data/unreadable")


def curve_row(
    step: int,
    epoch: int,
    values: StepValues,
    *,
    data_seconds: float,
    compute_seconds: float,
    clips: int,
    unreadable: int,
    weight_penalty: float,
) -> dict[str, float]:
    """One row of the curves; column names are TensorBoard's tags.

    Args:
        step: steps done, from 1. epoch: from 1.
        data_seconds: until every rank had its batch. compute_seconds: the rest of the step.
        clips: of this step, all views and ranks.
        unreadable: training videos that could not be read so far.
        weight_penalty: of `raysl.training.parameter_groups.weight_penalty`, after the step.
    """
    return {
        "step": step,
        "epoch": epoch,
        "loss/total": values.loss,
        **{f"loss/{name}": value for name, value in values.terms.items()},
        "optimizer/learning_rate": values.learning_rate,
        "optimizer/gradient_norm": values.gradient_norm,
        "optimizer/weight_penalty": weight_penalty,
        **{f"metric/{name}": value for name, value in values.metrics.items()},
        "time/data_seconds": data_seconds,
        "time/compute_seconds": compute_seconds,
        "time/data_wait_share": data_seconds / (data_seconds + compute_seconds),
        "time/clips_per_second": clips / (data_seconds + compute_seconds),
        "data/unreadable": unreadable,
    }


class Curves:
    """The rows so far, in memory.

    Args:
        columns: the rows of an earlier attempt up to the checkpoint that this one goes on from: steps that it logged
            after that are in neither.
    """

    def __init__(self, columns: Mapping[str, Iterable[float]] | None = None) -> None:
        self._columns = {name: array("d", values) for name, values in (columns or {}).items()}

    def __len__(self) -> int:
        return len(self._columns.get("step", ()))

    def add(self, row: Mapping[str, float]) -> None:
        """Adds a row with the columns of earlier rows; those of `OPTIONAL` are NaN where nothing was measured."""
        count = len(self)
        for name in row:
            if not count or (name.startswith(OPTIONAL) and name not in self._columns):
                self._columns[name] = array("d", [math.nan]) * count
        for name, column in self._columns.items():
            column.append(row.get(name, math.nan) if name.startswith(OPTIONAL) else row[name])

    def row(self, at: int) -> dict[str, float]:
        """One row, from 0 on, or from the end with negative numbers."""
        return {name: column[at] for name, column in self._columns.items()}

    def last(self) -> dict[str, float]:
        """The last row; empty where there is none."""
        return self.row(-1) if len(self) else {}

    def largest(self, name: str) -> float | None:
        """Of a column; None where it is absent or nothing in it was measured."""
        return max((value for value in self._columns.get(name, ()) if not math.isnan(value)), default=None)

    def frame(self, begin: int = 0) -> pd.DataFrame:
        """The rows from ``begin`` on, for ``curves.csv`` or a part of it."""
        frame = pd.DataFrame({name: np.array(column[begin:]) for name, column in self._columns.items()})
        return frame.astype({name: "int64" for name in INTEGER_COLUMNS if name in frame})
