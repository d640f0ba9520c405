"""An open search, end to end: real Ray and Optuna, and what a second run has left to do."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pandas as pd
import pytest
import ray

from raysl import results
from raysl.data.places import Places
from raysl.planning.base_point import base_point
from raysl.results import CellFolder, Store
from raysl.work.run_cells import RunOptions
from tests.engine.search.searches import LONG, run_search, search_file, search_in, search_study
from tests.test_cli import raysl

pytestmark = [pytest.mark.ray, pytest.mark.slow]
IN_TURN = RunOptions(max_concurrent=1)


@pytest.mark.usefixtures("local_ray")
def test_a_second_run_goes_on_and_the_best_become_a_table(tmp_path: Path, places: Places) -> None:
    store = results.open(tmp_path / "store")
    search, first = run_search(search_study(tmp_path, 2), store, places, IN_TURN)
    assert first[0].point == base_point(search)
    assert all(trial.seconds > 0 for trial in first)
    assert [trial.number for trial in first] == [0, 1]
    assert all(trial.ended and trial.cell for trial in first)
    # As if the driver had been killed at work on its second trial, before anything of it was stored.
    folder = store.search(_name(store))
    folder.save(replace(first[1], status="running", scores=()))
    reports = tmp_path / "reports"
    options = ("--reports", reports, "--cache", places.cache, "--max-concurrent", "1")
    done = raysl("run", search_file(tmp_path, 3), "--storage", tmp_path / "store", *options)
    assert done.returncode == 0, done.stderr
    _, second = search_in(search_study(tmp_path, 3), store)
    assert second[0] == first[0]
    assert [trial.number for trial in second] == [0, 1, 2]
    assert second[1].point == first[1].point
    assert second[1].cell == first[1].cell
    assert len({str(trial.point) for trial in second}) == 3
    again = replace(second[1], status=first[1].status, scores=second[1].scores[: len(first[1].scores)])
    assert again.scores == first[1].scores  # trained anew to the same scores, as far as both went
    assert not [path for path in folder.place.sizes("cells") if "/checkpoints/" in path]
    table = pd.read_csv(reports / "hunt" / "table.csv")
    assert list(table.row) == ["random", "best 1"]
    assert table["mean"].notna().all()
    trials = pd.read_csv(reports / "hunt" / "trials.csv")
    assert list(zip(trials.number, trials.status, strict=True)) == [(one.number, one.status) for one in second]
    best = trials[trials.status == "finished"].sort_values(["score", "number"], ascending=[False, True]).iloc[0]
    assert f"| best 1 | {best.number} " in " ".join((reports / "hunt" / "table.md").read_text().split())


@pytest.mark.usefixtures("local_ray")
def test_what_fails_is_kept_with_its_reason_and_tried_again_when_asked(tmp_path: Path, places: Places) -> None:
    store = results.open(tmp_path / "store")
    broken = (
        "objective.contrastive: {framework: tests.training.failing_simclr, temperature: 0.1, step: 1, on_rank: 0}\n"
    )
    study = search_study(tmp_path, 1, broken)
    _, (trial,) = run_search(study, store, places)
    assert trial.status == "failed"
    assert "nan at step 1" in trial.reason
    assert run_search(study, store, places)[1] == [trial]
    _, (retried,) = run_search(study, store, places, RunOptions(retry_failed=True))
    assert (retried.number, retried.status, retried.point) == (0, "failed", trial.point)


@pytest.mark.cluster
@pytest.mark.long
def test_two_runs_share_a_search_and_what_one_leaves_the_other_takes_up(
    tmp_path: Path, places: Places, local_ray: None
) -> None:
    store, study = results.open(tmp_path / "store"), search_study(tmp_path, 3, LONG)
    address = ray.get_runtime_context().gcs_address
    command = [sys.executable, "-m", "tests.engine.search.searches", str(tmp_path), str(places.cache), address]
    other = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def at_work() -> int:
        names = store.place.folders("searches")
        return sum(cell.state().status == "running" for name in names for cell in store.of_search(name).cells())

    def interrupt() -> None:
        while at_work() < 2:
            time.sleep(0.2)
        other.send_signal(signal.SIGINT)

    try:
        while not at_work():
            assert other.poll() is None, other.communicate()
            time.sleep(0.2)
        Thread(target=interrupt, daemon=True).start()
        _, trials = run_search(study, store, places, IN_TURN)
        _, said = other.communicate(timeout=120)
    finally:
        other.kill()
    assert "KeyboardInterrupt" in said
    assert [trial.number for trial in trials] == [0, 1, 2]
    assert all(trial.ended for trial in trials)
    assert len({trial.cell for trial in trials}) == 3
    of_search = store.of_search(_name(store))
    left, *others = sorted((_from_steps(cell) for cell in of_search.cells()), key=len, reverse=True)
    assert others == [[0], [0]], "each was computed by one of them"
    assert len(left) == 2, "the interrupted one was taken up"
    assert left[1] > 0, "it had been saved first"
    assert of_search.place.sizes("claims") == {}


def _from_steps(cell: CellFolder) -> list[int]:
    """Where each attempt at it began."""
    provenance = cell.provenance()
    assert provenance is not None
    assert len(provenance["attempts"]) == len(cell.attempts())
    return [attempt["from_step"] for attempt in provenance["attempts"]]


def _name(store: Store) -> str:
    (name,) = store.place.folders("searches")
    return name
