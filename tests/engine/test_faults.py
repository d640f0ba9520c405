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
import ray

from raysl import results
from raysl.data.places import Places
from raysl.engine.driver import run_on_cluster
from raysl.results import Store
from raysl.work.events import Event, Overview
from tests.engine.interrupted import go, waiting
from tests.engine.processes import below

pytestmark = [pytest.mark.ray, pytest.mark.slow]


class KillOnce:
    """Kills one process, with SIGKILL, once the cell has a checkpoint; what takes it up again does not wait.

    Args:
        title: part of the process title that Ray gives it.
        folder: of the cell (`waiting`).
    """

    def __init__(self, title: str, folder: Path, store: Store) -> None:
        self.title, self.folder, self.store = title, folder, store
        self.killed: list[int] = []

    def __call__(self, event: Event) -> None:
        if not self.killed and isinstance(event, Overview) and has_checkpoint(self.store):
            self.killed = [pid for pid, command in below() if self.title in command][:1]
            for pid in self.killed:
                os.kill(pid, signal.SIGKILL)
                go(self.folder)


def has_checkpoint(store: Store) -> bool:
    return any(cell.latest_checkpoint() for cell in store.cells())


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
    store = results.open(tmp_path / "store")
    kill = KillOnce(title, tmp_path, store)
    outcome = run_on_cluster(waiting(tmp_path, workers), store, places, on_event=kill)
    assert len(kill.killed) == 1
    assert outcome.done == ("tiny/waiting/seed0",)
    assert [attempt["from_step"] for attempt in attempts(store)] == [0, 2]
    curves = store.cells()[0].curves()
    assert curves is not None
    assert curves["step"].tolist() == list(range(1, 7))


def test_a_run_that_was_interrupted_is_finished_by_the_next(tmp_path: Path, places: Places, local_ray: None) -> None:
    address = ray.get_runtime_context().gcs_address
    command = [sys.executable, "-m", "tests.engine.interrupted", str(tmp_path), str(places.cache), address]
    driver = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    store, patience = results.open(tmp_path / "store"), time.monotonic() + 240
    try:
        while not has_checkpoint(store):
            assert driver.poll() is None, driver.communicate()
            assert time.monotonic() < patience, "no checkpoint yet"
            time.sleep(0.2)
        driver.send_signal(signal.SIGINT)
        _, said = driver.communicate(timeout=120)
    finally:
        driver.kill()
    assert driver.returncode != 0
    assert "KeyboardInterrupt" in said
    go(tmp_path)
    outcome = run_on_cluster(waiting(tmp_path), store, places)
    assert outcome.done == ("tiny/waiting/seed0",)
    assert [attempt["from_step"] for attempt in attempts(store)] == [0, 2]
