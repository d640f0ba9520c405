"""One trial of a search in this process: its scores, what a repetition says, and what it tells Tune."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import ray

from raysl import results
from raysl.config.cells import Cell
from raysl.data.places import Places
from raysl.engine.cells.crew import Team
from raysl.engine.cells.trial import AVOID, NodeNotFitError
from raysl.engine.search.trial import FAILED, LOST, REPORT, SCORE, SearchWork, search_trial
from raysl.planning.search import Search
from raysl.planning.study import load_study
from raysl.results.search_folder import Value
from raysl.work.claims import CLAIMED, claimed
from raysl.work.trial import Scoring, run_trial
from tests.planning.studies import SEARCH, write_study
from tests.work.plans import plan, site_here

POINT: dict[str, Value] = {"objective.contrastive.temperature": 0.1, "objective.contrastive.framework": "simclr"}


@pytest.fixture
def search(tmp_path: Path) -> Search:
    found = load_study(write_study(tmp_path, SEARCH)).search
    assert found is not None
    return found


@pytest.fixture
def work(search: Search, tmp_path: Path, places: Places) -> SearchWork:
    site = site_here(plan(tmp_path, {"plain": "{}"}), results.open(tmp_path / "store"), places)
    scoring = Scoring(search.data, search.options.knn, search.options.reports)
    return SearchWork("t", site, scoring, Team(1, {"CPU": 1.0}, {}))


@pytest.fixture
def config(search: Search) -> dict[str, Any]:
    return {"number": 0, "cell": Cell(search.trial(POINT), study="t", row="trial")}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What Tune is told."""
    reports: list[dict[str, Any]] = []
    monkeypatch.setattr("ray.tune.report", reports.append)
    return reports


def trial(config: dict[str, Any], work: SearchWork) -> None:
    search_trial(config, work)


@pytest.mark.slow
def test_a_trial_tells_its_scores_and_a_repetition_its_last(
    config: dict[str, Any], work: SearchWork, told: list[dict[str, Any]]
) -> None:
    trial(config, work)
    assert [report[REPORT] for report in told] == [1, 2]
    assert all(0 <= report[SCORE] <= 100 for report in told)
    trial(config, work)
    assert told[2:] == told[1:2], "its process was lost between its end and its last report"
    assert len(work.site.folder(config["cell"]).attempts()) == 1


@pytest.mark.slow
def test_training_goes_on_while_the_driver_takes_no_report(
    config: dict[str, Any], work: SearchWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupted driver takes none, and a trial must come to the step at which it saves."""
    taken, reports = Event(), list[dict[str, Any]]()

    def report(numbers: dict[str, Any]) -> None:
        reports.append(numbers)
        assert taken.wait(120)

    monkeypatch.setattr("ray.tune.report", report)
    waiting = Thread(target=lambda: trial(config, work))
    waiting.start()
    folder, patience = work.site.folder(config["cell"]), time.monotonic() + 60
    while folder.state().status != "done" and time.monotonic() < patience:
        time.sleep(0.1)
    assert folder.state().status == "done"
    assert len(reports) == 1, "the first report waits"
    taken.set()
    waiting.join(60)
    assert [report[REPORT] for report in reports] == [1, 2]


def test_what_another_run_trains_is_left_to_it(
    config: dict[str, Any], work: SearchWork, told: list[dict[str, Any]]
) -> None:
    with claimed(work.site.store, work.site.folder(config["cell"]).name, "another"):
        trial(config, work)
    (report,) = told
    assert report[LOST] == f"{CLAIMED} (another)"
    assert REPORT not in report
    assert work.site.folder(config["cell"]).attempts() == []


@pytest.mark.slow
def test_reports_beyond_the_steps_are_passed_over(config: dict[str, Any], work: SearchWork) -> None:
    numbers: list[int] = []
    scoring = replace(work.scoring, reports=5)
    assert run_trial(config["cell"], work.site, scoring, lambda number, score: numbers.append(number)) is None
    assert numbers == [2, 5], "two steps"


def test_a_failure_is_told_with_its_reason(
    config: dict[str, Any], work: SearchWork, told: list[dict[str, Any]], search: Search
) -> None:
    cell = search.trial(dict(POINT))
    huge = cell.model_copy(update={"training": cell.training.model_copy(update={"batch_size": 512})})
    trial({**config, "cell": Cell(huge)}, work)
    (report,) = told
    assert (report[SCORE], report[REPORT]) == (0.0, 2)
    assert "512" in report[FAILED]


def test_a_store_that_cannot_be_read_says_nothing_of_the_configuration(
    config: dict[str, Any], work: SearchWork, told: list[dict[str, Any]]
) -> None:
    lost = {key: replace(hashes, snapshot="0000") for key, hashes in work.site.data.items()}
    trial(config, replace(work, site=replace(work.site, data=lost)))
    (report,) = told
    assert math.isnan(report[SCORE])
    assert "is gone; run the study again" in report[LOST]
    assert REPORT not in report


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_a_node_without_the_data_is_told_and_another_one_is_asked(
    config: dict[str, Any], work: SearchWork, told: list[dict[str, Any]], tmp_path: Path
) -> None:
    elsewhere = Places({"synthetic": tmp_path / "no folder"}, tmp_path / "cache")
    (tmp_path / "no folder").write_text("a file")
    with pytest.raises(NodeNotFitError):
        trial(config, replace(work, site=replace(work.site, places=elsewhere)))
    (report,) = told
    assert (math.isnan(report[SCORE]), report[AVOID]) == (True, ray.get_runtime_context().get_node_id())
    assert not {REPORT, FAILED} & set(report)


def test_what_is_known_is_told_without_training(work: SearchWork, told: list[dict[str, Any]]) -> None:
    trial({"number": 1, "known": "[20.0, 30.0]"}, work)
    assert told == [{SCORE: 20.0, REPORT: 1}, {SCORE: 30.0, REPORT: 2}]
    told.clear()
    trial({"number": 1, "known": "[]"}, work)
    assert told[0].keys() == {SCORE}
    assert math.isnan(told[0][SCORE])
    told.clear()
    trial({"number": 1, "refused": "too large"}, work)
    assert told == [{SCORE: 0.0, REPORT: 2, FAILED: "too large"}]
