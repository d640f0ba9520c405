"""Curves: one row per logged step, as a table and as TensorBoard events; each step is in each of them once."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import pandas as pd

from raysl.training.learner import StepValues
from raysl.training.monitored import PREFIX

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

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
        "time/clips_per_second": clips / (data_seconds + compute_seconds),
        "data/unreadable": unreadable,
    }


class Curves:
    """The rows so far. TensorBoard's file is written in a separate folder, completely for every attempt.

    Args:
        columns: from an earlier attempt's checkpoint; the new event file begins with its rows, so steps that the
            attempt logged after its last checkpoint are in neither.
    """

    def __init__(self, columns: dict[str, list[float]] | None = None) -> None:
        self._columns = {name: list(values) for name, values in (columns or {}).items()}
        self._folder = tempfile.TemporaryDirectory(prefix="raysl-tensorboard-")
        self._writer: SummaryWriter | None = None
        self._written = 0

    def __enter__(self) -> Curves:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()
        self._folder.cleanup()

    def __len__(self) -> int:
        return len(self._columns.get("step", ()))

    def add(self, row: dict[str, float]) -> None:
        """Adds a row with the columns of earlier rows; a monitor's columns are NaN at steps without a measurement."""
        count = len(self)
        for name in row:
            if not count or (name.startswith(PREFIX) and name not in self._columns):
                self._columns[name] = [math.nan] * count
        for name, column in self._columns.items():
            column.append(row.get(name, math.nan) if name.startswith(PREFIX) else row[name])

    def last(self) -> dict[str, float]:
        """The last row; empty where there is none."""
        return {name: column[-1] for name, column in self._columns.items()} if len(self) else {}

    def columns(self) -> dict[str, list[float]]:
        """For a checkpoint."""
        return {name: list(values) for name, values in self._columns.items()}

    def frame(self) -> pd.DataFrame:
        """For ``curves.csv``."""
        frame = pd.DataFrame(self._columns)
        return frame.astype({name: "int64" for name in INTEGER_COLUMNS if name in frame})

    def event_folder(self) -> Path:
        """A local folder whose TensorBoard file holds every row so far."""
        if self._writer is None:
            # Imported here: it takes a second, and only rank 0 of a cell that trains needs it.
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(log_dir=self._folder.name)
        steps = [int(step) for step in self._columns.get("step", ())]
        for tag, column in self._columns.items():
            if tag == "step":
                continue
            for step, value in list(zip(steps, column, strict=True))[self._written :]:
                if not (tag.startswith(PREFIX) and math.isnan(value)):  # not measured at this step
                    self._writer.add_scalar(tag, value, step)
        self._written = len(self)
        self._writer.flush()
        return Path(self._folder.name)
