"""Lost processes: a DDP worker, a trial's actor, the board, the driver. `make faults` kills more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import ray

from raysl import results
from raysl.data.places import Places
from raysl.engine.driver import run_on_cluster
from raysl.results import Store
from raysl.work.events import Event, Overview
from tests.engine.interrupted import long, waiting
from tests.engine.processes import below

pytestmark = [pytest.mark.ray, pytest.mark.cluster, pytest.mark.slow]


class Kills:
    """Kills processes with SIGKILL, one after the other, while the cell waits (`waiting`).

    Args:
        titles: part of the title that Ray gives each of them, and the checkpoint after which it is killed.
    """

    def __init__(self, titles: Sequence[tuple[str, int]], store: Store) -> None:
        self.titles, self.store = list(titles), store

    def __call__(self, event: Event) -> None:
        if self.titles and isinstance(event, Overview) and saved_step(self.store) == self.titles[0][1]:
            found = [pid for pid, command in below() if self.titles[0][0] in command]
            if found:
                os.kill(found[0], signal.SIGKILL)
                self.titles.pop(0)


def saved_step(store: Store) -> int:
    """Of the newest checkpoint."""
    found = [cell.latest_checkpoint() for cell in store.cells()]
    return max((saved[0] for saved in found if saved is not None), default=0)


def attempts(store: Store) -> list[dict[str, Any]]:
    (cell,) = store.cells()
    provenance = cell.provenance()
    assert provenance is not None
    found: list[dict[str, Any]] = provenance["attempts"]
    return found


@pytest.mark.parametrize(
    ("workers", "titles", "begun"),
    [
        (1, [("ray::Board", 2), ("ray::ImplicitFunc", 2)], [0, 2]),
        (2, [("RayTrainWorker", 2), ("ray::ImplicitFunc", 4)], [0, 2, 4]),
    ],
)
def test_a_cell_goes_on_from_its_checkpoint_when_a_process_is_killed(
    workers: int, titles: list[tuple[str, int]], begun: list[int], tmp_path: Path, places: Places, local_ray: None
) -> None:
    """Every attempt saves its second step and waits within its third; the last has no third. A board's end is no
    cell's."""
    store = results.open(tmp_path / "store")
    kills, steps = Kills(titles, store), 2 * len(begun)
    outcome = run_on_cluster(waiting(tmp_path, workers, steps), store, places, on_event=kills)
    assert kills.titles == []
    assert outcome.done == ("tiny/waiting/seed0",)
    assert [attempt["from_step"] for attempt in attempts(store)] == begun
    curves = store.cells()[0].curves()
    assert curves is not None
    assert curves["step"].tolist() == list(range(1, steps + 1))


@pytest.mark.long
def test_a_run_that_was_interrupted_saves_first_and_is_finished_by_the_next(
    tmp_path: Path, places: Places, local_ray: None
) -> None:
    """Of two workers; of one, `test_jobs.py` has it."""
    address = ray.get_runtime_context().gcs_address
    command = [sys.executable, "-m", "tests.engine.interrupted", str(tmp_path), str(places.cache)]
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
    assert (first["workers"], second["workers"]) == (2, 1)
