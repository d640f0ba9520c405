"""Lost processes: a DDP worker, a controller, a trial's actor, the board, the driver. `make faults` kills more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import ray

from raysl import results
from raysl.data.places import Places
from raysl.engine.driver import run_on_cluster
from raysl.results import Store
from raysl.work.events import Event, Overview
from tests.engine.interrupted import go, long, waiting
from tests.engine.processes import below

pytestmark = [pytest.mark.ray, pytest.mark.cluster, pytest.mark.slow]


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


@pytest.mark.parametrize(
    ("workers", "title"),
    [
        (1, "ray::ImplicitFunc"),
        (2, "RayTrainWorker"),
        (2, "ray::_Controller"),
    ],
)
def test_a_cell_goes_on_from_its_checkpoint_when_a_process_is_killed(
    workers: int, title: str, tmp_path: Path, places: Places, local_ray: None
) -> None:
    store = results.open(tmp_path / "store")
    kill = KillOnce(title, tmp_path, store)
    outcome = run_on_cluster(waiting(tmp_path, workers), store, places, on_event=kill)
    assert len(kill.killed) == 1
    assert outcome.done == ("tiny/waiting/seed0",)
    first, second = (attempt["from_step"] for attempt in attempts(store))
    assert first == 0
    assert second in (2, 4)  # workers go on until they are ended, too, where it was not one of them
    curves = store.cells()[0].curves()
    assert curves is not None
    assert curves["step"].tolist() == list(range(1, 7))


def test_a_board_that_is_killed_ends_nothing(tmp_path: Path, places: Places, local_ray: None) -> None:
    store = results.open(tmp_path / "store")
    kill = KillOnce("ray::Board", tmp_path, store)
    assert run_on_cluster(waiting(tmp_path), store, places, on_event=kill).done == ("tiny/waiting/seed0",)
    assert len(kill.killed) == 1
    assert [attempt["from_step"] for attempt in attempts(store)] == [0]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_that_was_interrupted_saves_first_and_is_finished_by_the_next(
    workers: int, tmp_path: Path, places: Places, local_ray: None
) -> None:
    address = ray.get_runtime_context().gcs_address
    command = [sys.executable, "-m", "tests.engine.interrupted", str(tmp_path), str(places.cache), str(workers)]
    driver = subprocess.Popen([*command, address], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    store = results.open(tmp_path / "store")
    try:
        assert driver.stdout is not None
        assert "steps\n" in iter(driver.stdout.readline, ""), driver.communicate()  # Ray writes there too
        driver.send_signal(signal.SIGINT)
        _, said = driver.communicate(timeout=120)
    finally:
        driver.kill()
    assert driver.returncode != 0
    assert "KeyboardInterrupt" in said
    (cell,) = store.cells()
    saved = cell.latest_checkpoint()
    assert saved is not None
    assert 0 < saved[0] < 200
    assert cell.state().status == "interrupted"
    assert run_on_cluster(long(tmp_path, 1), store, places).done == ("tiny/long/seed0",)
    first, second = attempts(store)
    assert (first["from_step"], second["from_step"]) == (0, saved[0])
    assert (first["workers"], second["workers"]) == (workers, 1)
