"""A driver to be interrupted: ``python -m tests.engine.interrupted FOLDER CACHE WORKERS`` runs `LONG` by itself."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from raysl import results
from raysl.data.places import Places
from raysl.engine.driver import run_on_cluster
from raysl.work.events import Event, Overview
from tests.work.plans import plan


class Steps:
    """Says on standard output once that a cell takes steps."""

    def __init__(self) -> None:
        self.said = False

    def __call__(self, event: Event) -> None:
        if not self.said and isinstance(event, Overview) and any(running.progress for running in event.running):
            self.said = True
            print("steps", flush=True)


SLOW = "backbone: {name: r3d_18, width: 0.0625}, training.checkpoint_steps: 2"
"""Steps long enough for a process to be killed between two of them."""

LONG = {
    "long": "{backbone: {name: r3d_18, width: 0.0625}, training.checkpoint_steps: 100000, training.steps: 400, "
    "schedule.warmup_epochs: 0, training.workers: WORKERS}"
}
"""Only its end, and a run's, writes a checkpoint."""

if __name__ == "__main__":
    # A shell starts background jobs with SIGINT ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder, cache = Path(sys.argv[1]), Path(sys.argv[2])
    rows = {name: row.replace("WORKERS", sys.argv[3]) for name, row in LONG.items()}
    places = Places({}, cache, cache_gigabytes=0.1)
    run_on_cluster(plan(folder, rows), results.open(folder / "store"), places, on_event=Steps())
