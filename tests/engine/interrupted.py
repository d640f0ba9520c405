"""A driver to be interrupted: ``python -m tests.engine.interrupted FOLDER CACHE ADDRESS`` runs `waiting` there."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from raysl import results
from raysl.config.cells import Cell
from raysl.data.places import Places
from raysl.engine.driver import run_on_cluster
from raysl.work.run_cells import RunOptions
from tests.work.plans import plan


def waiting(folder: Path, workers: int = 1) -> list[Cell]:
    """One cell of six steps, which has a checkpoint of the second and waits within the third for `go`."""
    framework = f"{{framework: tests.training.failing_simclr, temperature: 0.1, step: 3, waits_for: {folder / 'go'}}}"
    training = f"{{steps: 6, checkpoint_steps: 2, workers: {workers}}}"
    return plan(folder, {"waiting": f"{{objective.contrastive: {framework}, training: {training}}}"})


def go(folder: Path) -> None:
    """Lets `waiting` go on, and what takes it up again not wait."""
    (folder / "go").touch()


if __name__ == "__main__":
    # A shell starts background jobs with SIGINT ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder, cache = Path(sys.argv[1]), Path(sys.argv[2])
    places, on = Places({}, cache, cache_gigabytes=0.1), RunOptions(address=sys.argv[3])
    run_on_cluster(waiting(folder), results.open(folder / "store"), places, on)
