"""Measures a backbone at a few steps of its pretraining, without influence on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from raysl.config.cell import CellConfig
from raysl.distributed import rank
from raysl.models.backbone import Backbone
from raysl.models.batch_norm import average_statistics
from raysl.notes import say_once
from raysl.training.monitored import INITIAL, PREFIX, Monitored
from raysl.training.probe import probe_due


@dataclass(frozen=True)
class Monitor:
    """What is measured, and how often.

    Attributes:
        points: number of measurements, the last one after the last step.
        measure: returns names and numbers, ``spread`` among them; empty if the measurement failed. Called on every rank
            at the same steps; it must leave the backbone as it was and draw no random number.
        title: of the cell, for warnings.
    """

    points: int
    measure: Callable[[Backbone], Mapping[str, float]]
    title: str = ""


def is_monitored(cell: CellConfig) -> bool:
    """Whether anybody looks: labels keep a backbone from collapsing, and one that is not trained stays as it is."""
    return cell.pretraining == "self_supervised" and cell.train != "head" and cell.training.monitor.points > 0


class Watch:
    """The measurements of a run, on one rank.

    Args:
        monitor: None: nothing is measured.
        row: the last row of the curves with a measurement, of earlier attempts; empty: there is none.
    """

    def __init__(self, monitor: Monitor | None, row: Mapping[str, float]) -> None:
        self._monitor = monitor
        self.row, self.last = dict(row), Monitored.of_row(row)

    def due(self, step: int, steps: int) -> bool:
        """Whether a measurement is due after ``step`` of ``steps``."""
        return self._monitor is not None and probe_due(self._monitor.points, step, steps) is not None

    def measure(self, backbone: Backbone) -> dict[str, float]:
        """Columns of the curves, the same on every rank; empty if the measurement failed. Collective."""
        if self._monitor is None:
            return {}
        with _statistics_of_all_ranks(backbone):
            found = dict(self._monitor.measure(backbone))
        found |= {INITIAL: initial_statistics(backbone)} if found else {}
        return {PREFIX + name: value for name, value in found.items()}

    def record(self, row: Mapping[str, float]) -> None:
        """Keeps the values of a measurement, and warns if the representation has collapsed."""
        found = Monitored.of_row(row)
        if found is None:
            return
        if found.collapsed and rank() == 0 and not (self.last and self.last.collapsed) and self._monitor is not None:
            say_once(f"{self._monitor.title}: the representation has {found.collapsed}")
        self.last, self.row = found, dict(row)


def initial_statistics(backbone: Backbone) -> float:
    """The share of the initial statistics (mean 0, variance 1) in the moving averages of batch norms, 0 to 1.

    The largest share of any batch norm; 0 without batch norms that track.
    """
    norms = (module for module in backbone.modules() if isinstance(module, _BatchNorm) and module.track_running_stats)
    return max((_initial_share(norm) for norm in norms), default=0.0)


def _initial_share(norm: _BatchNorm) -> float:
    updates = 0 if norm.num_batches_tracked is None else int(norm.num_batches_tracked)
    return float(updates == 0) if norm.momentum is None else (1.0 - norm.momentum) ** updates


@contextmanager
def _statistics_of_all_ranks(backbone: Backbone) -> Iterator[None]:
    """In its body running statistics are averaged over ranks; afterwards each rank's own are restored exactly."""
    norms = [module for module in backbone.modules() if isinstance(module, _BatchNorm)]
    tracked = [value for norm in norms for value in (norm.running_mean, norm.running_var) if value is not None]
    own = [value.clone() for value in tracked]
    average_statistics(backbone)
    try:
        yield
    finally:
        with torch.no_grad():
            for value, before in zip(tracked, own, strict=True):
                value.copy_(before)
