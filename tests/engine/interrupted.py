"""A driver to be interrupted: ``python -m tests.engine.interrupted FOLDER CACHE`` runs `LONG` with a Ray of its own."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from raysl import results
from raysl.data.places import Places
from raysl.engine.driver import run_on_cluster
from tests.work.plans import plan

SLOW = "backbone: {name: r3d_18, width: 0.0625}, training.checkpoint_steps: 2"
"""Steps long enough for a process to be killed between two of them."""

LONG = {"long": f"{{{SLOW}, training.steps: 200, schedule.warmup_epochs: 0}}"}

if __name__ == "__main__":
    # A shell starts background jobs with SIGINT ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder, cache = Path(sys.argv[1]), Path(sys.argv[2])
    run_on_cluster(plan(folder, LONG), results.open(folder / "store"), Places({}, cache, cache_gigabytes=0.1))
