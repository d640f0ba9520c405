"""An open search, end to end: real Ray and Optuna, and what a second run has left to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from raysl import results
from raysl.commands.searches import trials_of
from raysl.data.places import Places
from raysl.engine.driver import run_searches
from raysl.planning.base_point import base_point
from raysl.planning.search import Search, TitledSearch
from raysl.planning.study import Study
from raysl.results import SearchTrial, Shelf, Store
from raysl.work.run_cells import RunOptions
from tests.engine.searches import search_study

pytestmark = [pytest.mark.ray, pytest.mark.slow]


def found(study: Study, store: Store) -> tuple[Search, list[SearchTrial]]:
    assert study.search is not None
    return study.search, trials_of(study.search, Shelf(store))


def run(study: Study, store: Store, places: Places, *, retry_failed: bool = False) -> tuple[Search, list[SearchTrial]]:
    assert study.search is not None
    one = TitledSearch(study.name, study.search)
    run_searches([one], store, places, RunOptions(retry_failed=retry_failed, max_concurrent=1))
    return found(study, store)


@pytest.mark.usefixtures("local_ray")
def test_a_second_run_goes_on_where_the_first_ended(tmp_path: Path, places: Places) -> None:
    store = results.open(tmp_path / "store")
    search, first = run(search_study(tmp_path, 2), store, places)
    assert first[0].point == base_point(search)
    assert all(trial.seconds > 0 for trial in first)
    assert [trial.number for trial in first] == [0, 1]
    assert all(trial.ended and trial.cell for trial in first)
    # As if the driver had been killed at work on its second trial, before anything of it was stored.
    search, _ = found(search_study(tmp_path, 3), store)
    folder = store.search(_name(store))
    folder.save(replace(first[1], status="running", scores=()))
    _, second = run(search_study(tmp_path, 3), store, places)
    assert second[0] == first[0]
    assert [trial.number for trial in second] == [0, 1, 2]
    assert second[1].point == first[1].point
    assert second[1].cell == first[1].cell
    assert len({str(trial.point) for trial in second}) == 3
    again = replace(second[1], status=first[1].status, scores=second[1].scores[: len(first[1].scores)])
    assert again.scores == first[1].scores  # trained anew to the same scores, as far as both went
    assert not [path for path in folder.place.sizes("cells") if "/checkpoints/" in path]


@pytest.mark.usefixtures("local_ray")
def test_what_fails_is_kept_with_its_reason_and_tried_again_when_asked(tmp_path: Path, places: Places) -> None:
    store = results.open(tmp_path / "store")
    broken = (
        "objective.contrastive: {framework: tests.training.failing_simclr, temperature: 0.1, step: 1, on_rank: 0}\n"
    )
    study = search_study(tmp_path, 1, broken)
    _, (trial,) = run(study, store, places)
    assert trial.status == "failed"
    assert "nan at step 1" in trial.reason
    assert run(study, store, places)[1] == [trial]
    _, (retried,) = run(study, store, places, retry_failed=True)
    assert (retried.number, retried.status, retried.point) == (0, "failed", trial.point)


def _name(store: Store) -> str:
    (name,) = store.place.folders("searches")
    return name
