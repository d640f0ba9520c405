"""When a cell that goes on with fewer workers is given more again."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import ray
from ray.train._internal.storage import StorageContext
from ray.tune.experiment import Trial

from raysl import results
from raysl.data.places import Places
from raysl.engine.cells.crew import Team
from raysl.engine.cells.jobs import MORE_SECONDS, Job, _More
from raysl.engine.cells.placement import MOST_GROWN, TakenUpAgain
from raysl.engine.cells.trial import CELL, LOST, ROOM_AGAIN, SIZE, WHY, name_of
from raysl.engine.cells.trials import parameters
from raysl.engine.cluster import cluster
from raysl.engine.progress.board import Post, start_board
from raysl.errors import LeftError
from raysl.signals import leave_requested
from raysl.training.progress import Progress
from tests.work.plans import plan, site_here

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("local_ray")]


@dataclass
class Run:
    """A cell of four workers on a Ray of two CPUs, and its trial beside another's."""

    again: TakenUpAgain
    trial: Trial
    other: Trial
    notes: list[str]

    def lose(self, error: str) -> None:
        """As Tune does where an attempt ended."""
        file = Path(str(self.trial.error_file))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"Failure # 1 (occurred at a time)\n{error}\n")
        self.trial.status = Trial.PENDING
        self.again.on_trial_error(SimpleNamespace(get_trials=lambda: [self.trial, self.other]), self.trial)
        self.trial.status = Trial.RUNNING

    def with_room(self) -> dict[str, int]:
        return self.again.with_room([self.trial, self.other])


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (cell,) = plan(tmp_path, {"one": "{training.workers: 4}"})
    (shown,) = parameters([cell])
    name, notes = name_of(shown), list[str]()
    with cluster() as on:
        posts = {name: Post(start_board(), cell.key)}
        again = TakenUpAgain({name: Team(4, {"CPU": 1.0}, {})}, {name: cell}, posts, on, notes.append)
    config = {CELL: shown, LOST: 0, WHY: "", SIZE: 0}
    trial, other = (Trial("raysl", stub=True, config=dict(config), storage=_files(tmp_path / "ray")) for _ in range(2))
    cast(Any, trial.run_metadata).error_filename = "error.txt"
    trial.status = other.status = Trial.RUNNING
    other.config[CELL] = {**shown, "row": "other"}
    return Run(again, trial, other, notes)


def _files(folder: Path) -> StorageContext:
    return StorageContext(storage_path=str(folder), experiment_dir_name="cells", trial_dir_name="one")


def test_a_cell_grows_where_nobody_waits_for_what_is_free(run: Run) -> None:
    assert run.with_room() == {}, "it has its own workers"
    run.lose("its node has died")
    assert run.notes == ["tiny/one/seed0: a node is gone; continues with 2 of 4 workers"]
    assert run.trial.config[SIZE] == 2
    assert run.with_room() == {"tiny/one/seed0": 4}
    run.other.status = Trial.PENDING
    assert run.with_room() == {}, "the other cell waits"


def test_what_waits_for_more_than_there_can_be_is_too_wide(run: Run) -> None:
    run.other.status = Trial.TERMINATED
    assert not run.again.too_wide([run.trial, run.other]), "it runs"
    run.trial.status = Trial.PENDING
    assert run.again.too_wide([run.trial, run.other])
    run.again.on_trial_add(None, run.trial)  # as where the run begins again
    assert (run.trial.config[SIZE], cast(Any, run.trial.placement_group_factory).bundles) == (2, [{"CPU": 1.0}] * 2)
    assert not run.again.too_wide([run.trial, run.other])


def test_it_is_ended_to_grow_three_times_at_most(run: Run) -> None:
    """Here no other process takes the two CPUs, so that each time there is room for four workers, on paper."""
    for times in range(1, MOST_GROWN + 1):
        run.lose("its node has died")
        assert run.with_room() == {"tiny/one/seed0": 4}
        run.lose(ROOM_AGAIN)
        assert run.trial.config[SIZE] == 4, times
    run.lose("its node has died")
    assert run.with_room() == {}
    run.lose("its node has died")
    assert run.trial.config[SIZE] == 4, "what ends it anyway, it takes up with all that there is room for"


@pytest.mark.parametrize(("left", "leaves"), [(MORE_SECONDS + 1, True), (MORE_SECONDS, False), (None, False)])
def test_a_cell_that_is_nearly_done_stays_as_it_is(
    left: float | None, leaves: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raysl.signals._leave", threading.Event())
    (cell,) = plan(tmp_path, {"one": "{training.workers: 2}"})
    board = start_board()
    ray.get(board.set_room.remote(frozenset({cell.key})))
    site = site_here([], results.open(tmp_path / "store"), Places({}, tmp_path))
    more = _More(Job(cell, site, Post(board, cell.key)), workers=1)
    more(Progress(1, 2, 3, 4, 5.0, 6.0, left))
    assert leave_requested() == leaves
    assert more.left_for(LeftError("saved")) == leaves
