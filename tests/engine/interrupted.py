"""Cells to be killed, and a driver to be interrupted.

``python -m tests.engine.interrupted FOLDER CACHE ADDRESS`` runs `long` over two workers on the Ray there.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from raysl import results
from raysl.config.cells import Cell
from raysl.data.places import Places
from raysl.engine.driver import run_on_cluster
from raysl.work.events import Event, Overview
from raysl.work.run_cells import RunOptions
from tests.work.plans import plan


def waiting(folder: Path, workers: int = 1, steps: int = 6, rows: int = 1) -> list[Cell]:
    """Cells, of ``tiny.yaml`` in the folder, that have a checkpoint of their second step and wait within a process's
    third for `go`."""
    waits = f"framework: tests.training.failing_simclr, step: 3, waits_for: {folder / 'go'}"
    training = f"training: {{steps: {steps}, checkpoint_steps: 2, workers: {workers}}}"
    names = ["waiting", *(f"waiting-{row}" for row in range(1, rows))]
    changes = {
        name: f"{{objective.contrastive: {{{waits}, temperature: 0.{row}}}, {training}}}"
        for row, name in enumerate(names, 1)
    }
    return plan(folder, changes)


def go(folder: Path) -> None:
    """Lets `waiting` go on, and what takes it up again not wait."""
    (folder / "go").touch()


def long(folder: Path, workers: int) -> list[Cell]:
    """One cell of 200 steps; only its end, and a run's, writes a checkpoint."""
    training = f"training: {{steps: 200, checkpoint_steps: 100000, workers: {workers}}}"
    backbone = "backbone: {name: r3d_18, width: 0.0625}"
    return plan(folder, {"long": f"{{{backbone}, {training}, schedule.warmup_epochs: 0}}"})


class Steps:
    """Says on standard output once that a cell takes steps."""

    def __init__(self) -> None:
        self.said = False

    def __call__(self, event: Event) -> None:
        if not self.said and isinstance(event, Overview) and any(running.progress for running in event.running):
            self.said = True
            print("steps", flush=True)


if __name__ == "__main__":
    # A shell starts background jobs with SIGINT ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder, places = Path(sys.argv[1]), Places({}, Path(sys.argv[2]), cache_gigabytes=0.1)
    cells, on = long(folder, workers=2), RunOptions(address=sys.argv[3])
    run_on_cluster(cells, results.open(folder / "store"), places, on, on_event=Steps())
