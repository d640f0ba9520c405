"""A driver to be interrupted: ``python -m tests.engine.interrupted FOLDER CACHE`` runs `LONG` with a Ray of its own."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from raysl import results
from raysl.data.places import Places
from raysl.engine.driver import run_on_cluster
from tests.work.plans import plan

LONG = {"long": "{training.steps: 200, training.checkpoint_steps: 2, schedule.warmup_epochs: 0}"}

if __name__ == "__main__":
    # A shell starts background jobs with SIGINT ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder, cache = Path(sys.argv[1]), Path(sys.argv[2])
    run_on_cluster(plan(folder, LONG), results.open(folder / "store"), Places({}, cache, cache_gigabytes=0.1))
