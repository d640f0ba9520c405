"""Lost processes: a DDP worker, a trial's own actor, and the driver."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from raysl import results
from raysl.data.places import Places
from raysl.engine.driver import run_on_cluster
from raysl.results import Store
from raysl.work.events import Event, Overview
from tests.engine.interrupted import LONG, SLOW
from tests.engine.processes import below
from tests.work.plans import plan

pytestmark = [pytest.mark.ray, pytest.mark.slow]


class KillOnce:
    """Kills one process, with SIGKILL, once the first cell has reported a step.

    Args:
        title: part of the process title that Ray gives it.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.killed: list[int] = []

    def __call__(self, event: Event) -> None:
        if self.killed or not isinstance(event, Overview):
            return
        if any(running.progress is not None for running in event.running):
            self.killed = [pid for pid, command in below() if self.title in command][:1]
            for pid in self.killed:
                os.kill(pid, signal.SIGKILL)


def attempts(store: Store) -> list[dict[str, Any]]:
    (cell,) = store.cells()
    provenance = cell.provenance()
    assert provenance is not None
    found: list[dict[str, Any]] = provenance["attempts"]
    return found


@pytest.mark.parametrize(("workers", "title"), [(1, "ray::ImplicitFunc"), (2, "RayTrainWorker")])
def test_a_cell_goes_on_from_its_checkpoint_when_a_process_is_killed(
    workers: int, title: str, tmp_path: Path, places: Places, local_ray: None
) -> None:
    work = plan(tmp_path, {"killed": f"{{{SLOW}, training.steps: 60, training.workers: {workers}}}"})
    store, kill = results.open(tmp_path / "store"), KillOnce(title)
    outcome = run_on_cluster(work, store, places, on_event=kill)
    assert len(kill.killed) == 1
    assert outcome.done == ("tiny/killed/seed0",)
    first, second = attempts(store)
    assert first["from_step"] == 0
    assert 0 < second["from_step"] < 60
    curves = store.cells()[0].curves()
    assert curves is not None
    assert curves["step"].tolist() == list(range(1, 61))


def test_a_run_that_was_interrupted_is_finished_by_the_next(tmp_path: Path, places: Places, local_ray: None) -> None:
    command = [sys.executable, "-m", "tests.engine.interrupted", str(tmp_path), str(places.cache)]
    driver = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    store = results.open(tmp_path / "store")
    try:
        while not any(cell.latest_checkpoint() for cell in store.cells()):
            assert driver.poll() is None, driver.communicate()
            time.sleep(0.2)
        driver.send_signal(signal.SIGINT)
        _, said = driver.communicate(timeout=120)
    finally:
        driver.kill()
    assert driver.returncode != 0
    assert "KeyboardInterrupt" in said
    outcome = run_on_cluster(plan(tmp_path, LONG), store, places)
    assert outcome.done == ("tiny/long/seed0",)
    first, second = attempts(store)
    assert first["from_step"] == 0
    assert 0 < second["from_step"] < 200
