"""What becomes of a search's trials, in memory and in the store, and what Optuna is told of earlier runs."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ray.tune.search import Searcher

from raysl import results
from raysl.config.identity import cell_id
from raysl.data.places import Places
from raysl.engine.search.driver import _known, _suggestions
from raysl.engine.search.records import Records, shown
from raysl.engine.search.trial import FAILED, LOST, REPORT, SCORE, UNKNOWN
from raysl.errors import StorageError
from raysl.planning.axes import Point, RandomSuggestions, suggest
from raysl.planning.search import Search
from raysl.planning.study import load_study
from raysl.results import SearchFolder, SearchTrial, Store
from raysl.work.claims import CLAIMED
from raysl.work.site import Site
from tests.planning.studies import SEARCH, write_study

TEMPERATURE, FRAMEWORK, QUEUE = (f"objective.contrastive.{key}" for key in ("temperature", "framework", "queue_size"))


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> Search:
    """Two reports a trial; a ``clip.size`` of 64 is larger than the frames."""
    text = SEARCH.replace("axes:", "axes:\n  clip.size: {choice: [16, 32]}")
    search = load_study(write_study(tmp_path_factory.mktemp("search"), text)).search
    assert search is not None
    # The loader refuses values that no configuration has.
    sizes = replace(search.axes[0], values={"16": 16, "64": 64})
    return replace(search, axes=(sizes, *search.axes[1:]))


@dataclass
class Told:
    records: Records
    folder: SearchFolder
    notes: list[str] = field(default_factory=list)
    lost: list[StorageError] = field(default_factory=list)

    def ask(self, **changes: Any) -> dict[str, Any]:
        """The next trial's configuration, with a ``size``, ``temperature`` or ``framework`` of its own."""
        wanted = {"size": "16", "temperature": 0.1, "framework": "simclr", **changes}
        keys = {"size": "clip.size", "temperature": TEMPERATURE, "framework": FRAMEWORK, "queue": QUEUE}
        fixed = {keys[name]: value for name, value in wanted.items()}
        return self.records.suggestion(RandomSuggestions(np.random.default_rng(0), fixed))

    def suggestions(self) -> Any:
        """What Tune asks for trials."""
        place = self.folder.place
        return _suggestions(self.records, Site(Store(place), Places({}, Path(place.root)), run=self.records.run))

    def beside(self, run: str, others: set[str]) -> Told:
        """Another run at the same search."""
        notes, lost = list[str](), list[StorageError]()
        records = Records(self.records.search, self.folder, notes.append, lost.append, {}, run, lambda: others)
        records.refresh()
        return Told(records, self.folder, notes, lost)

    def report(self, number: int, at: int, score: float, **more: Any) -> SearchTrial:
        self.records.report(number, {REPORT: at, SCORE: score, **more})
        return self.kept(number)

    def end(self, number: int, **last: Any) -> SearchTrial:
        self.records.end(number, last)
        return self.kept(number)

    def kept(self, number: int) -> SearchTrial:
        """A trial, which is in the store as it is in memory."""
        trial = self.records.trials[number]
        assert self.folder.trial(number) == trial
        return trial

    def again(self) -> Told:
        """As the next run finds it."""
        notes: list[str] = []
        known = {trial.number: trial for trial in self.folder.trials()}
        records = Records(self.records.search, self.folder, notes.append, self.lost.append, known)
        return Told(records, self.folder, notes, self.lost)


@pytest.fixture
def told(search: Search, tmp_path: Path) -> Told:
    folder = results.open(tmp_path / "store").search("s")
    notes: list[str] = []
    lost: list[StorageError] = []
    return Told(Records(search, folder, notes.append, lost.append), folder, notes, lost)


def test_numbers_count_and_the_configuration_is_the_trials(told: Told, search: Search) -> None:
    first, second = told.ask(), told.ask(temperature=0.2, framework="moco", queue="32")
    assert (first["number"], second["number"]) == (0, 1)
    assert told.kept(0) == SearchTrial(0, {"clip.size": "16", TEMPERATURE: 0.1, FRAMEWORK: "simclr"}, first["cell"].id)
    assert told.kept(1).point[QUEUE] == "32"
    cell = second["cell"].config
    assert told.kept(1).cell == cell_id(cell)
    assert cell == search.trial(told.kept(1).point)


def test_a_trial_that_reaches_the_last_report_has_finished(told: Told) -> None:
    told.ask()
    assert told.report(0, 1, 20.0) == replace(told.kept(0), scores=(20.0,), status="running")
    assert told.report(0, 2, 30.0).scores == (20.0, 30.0)
    assert told.end(0, **{REPORT: 2, SCORE: 30.0}).status == "finished"
    assert told.notes == [
        "1/3 trials: trial 0 finished, 30.0 %: clip.size 16, contrastive.temperature 0.1, contrastive.framework simclr"
    ]


def test_a_trial_that_ends_before_was_stopped(told: Told) -> None:
    told.ask()
    told.report(0, 1, 20.0)
    assert told.end(0).status == "stopped"
    assert told.notes[0].startswith("1/3 trials: trial 0 stopped after report 1 of 2, 20.0 %: ")


def test_weights_are_dropped_at_the_end(told: Told, tmp_path: Path) -> None:
    number = told.ask()["number"]
    cell = results.open(tmp_path / "store").of_search("s").folder(told.kept(number).cell, "d")
    cell.write_config({"training": {"seed": 0}})
    cell.start_attempt().save_checkpoint(1, b"weights")
    told.report(number, 1, 20.0)
    assert cell.latest_checkpoint() is not None
    told.end(number)
    assert cell.latest_checkpoint() is None


def test_a_repeated_report_takes_the_place_of_the_old_one_and_later_ones(told: Told) -> None:
    told.ask()
    told.report(0, 1, 20.0)
    told.report(0, 2, 30.0)
    assert told.report(0, 2, 31.0).scores == (20.0, 31.0)
    assert told.report(0, 1, 21.0).scores == (21.0,)


def test_a_report_that_was_lost_has_the_score_of_the_next(told: Told) -> None:
    told.ask()
    assert told.report(0, 2, 30.0).scores == (30.0, 30.0)


def test_a_failure_keeps_its_reason(told: Told) -> None:
    told.ask()
    told.report(0, 1, 20.0)
    failed = told.report(0, 2, 0.0, **{FAILED: "the loss is NaN"})
    assert (failed.status, failed.reason, failed.score) == ("failed", "the loss is NaN", None)
    assert told.end(0, **{REPORT: 2, SCORE: 0.0, FAILED: "the loss is NaN"}) == failed
    assert told.notes[0].startswith("1/3 trials: trial 0 failed (the loss is NaN): ")


def test_what_is_no_failure_of_the_configuration_stays_open(told: Told) -> None:
    told.ask()
    told.report(0, 1, 20.0)
    lost = {SCORE: UNKNOWN, LOST: "the store is gone"}
    told.records.report(0, lost)
    assert told.end(0, **lost) == replace(told.kept(0), status="running", scores=(20.0,))
    assert told.notes == ["trial 0: ended without a result: the store is gone"]


def test_a_lost_process_is_a_failure(told: Told) -> None:
    told.ask()
    told.records.lose(0, "Traceback\n  ...\nActorDiedError: out of memory\n")
    assert told.kept(0).status == "failed"
    assert told.kept(0).reason == "its process was lost 3 times: ActorDiedError: out of memory"
    assert told.notes[0].startswith("1/3 trials: trial 0 failed (its process was lost 3 times")
    told.ask(temperature=0.2)
    told.records.lose(1, "")
    assert told.kept(1).reason == "its process was lost 3 times: "


def test_a_point_that_is_no_configuration_fails_with_the_reason(told: Told) -> None:
    config = told.ask(size="64")
    assert config["number"] == 0
    assert "clip.size 64 is larger than clip.resize 32" in config["refused"]
    assert "cell" not in config
    assert told.kept(0).point["clip.size"] == "64"
    told.report(0, 2, 0.0, **{FAILED: config["refused"]})
    assert told.end(0).status == "failed"
    assert told.kept(0).reason.startswith("refused: ")
    assert told.ask(size="64")["number"] == 1, "it is not trained, so it is the same as nothing"


def test_an_interrupted_trial_keeps_number_and_scores(told: Told) -> None:
    for temperature in (0.1, 0.2, 0.3):
        told.ask(temperature=temperature)
    told.report(1, 1, 20.0)
    told.report(2, 2, 50.0)
    told.end(2)
    later = told.again()
    config = later.ask(temperature=0.2)
    assert config["number"] == 1
    assert "cell" in config
    assert later.kept(1).scores == (20.0,)
    assert later.report(1, 2, 25.0).scores == (20.0, 25.0)
    assert later.end(1).status == "finished"
    assert later.ask(temperature=0.4)["number"] == 3
    assert later.ask(temperature=0.1)["number"] == 0
    assert later.ask(size="64")["number"] == 4


def test_an_interrupted_refusal_keeps_its_number(told: Told) -> None:
    told.ask(size="64")
    assert told.again().ask(size="64")["number"] == 0


@pytest.mark.parametrize("status", ["finished", "stopped"])
def test_a_twin_of_what_ended_gets_its_scores(told: Told, status: str) -> None:
    told.ask()
    told.report(0, 1, 20.0)
    if status == "finished":
        told.report(0, 2, 30.0)
    told.end(0)
    scores = told.kept(0).scores
    config = told.ask(temperature=0.10001)
    assert (config["number"], json.loads(config["known"])) == (1, list(scores))
    assert "cell" not in config
    assert (told.kept(1).same_as, told.kept(1).point[TEMPERATURE]) == (0, 0.10001)
    told.report(1, 1, scores[0])  # and the scheduler stops it there
    assert told.end(1) == replace(told.kept(1), status=status, scores=scores)  # type: ignore[arg-type]
    assert told.notes[-1].startswith(f"2/3 trials: trial 1 {status}")
    assert ", as trial 0, " in told.notes[-1]


def test_a_twin_of_what_failed_fails_for_the_same_reason(told: Told) -> None:
    told.ask()
    told.report(0, 1, 90.0)
    told.report(0, 2, 0.0, **{FAILED: "the loss is NaN"})
    told.end(0)
    config = told.ask()
    assert config["refused"] == "the loss is NaN"
    assert "known" not in config
    told.report(1, 2, 0.0, **{FAILED: "the loss is NaN"})
    twin = told.end(1)
    assert (twin.status, twin.reason, twin.score, twin.same_as) == ("failed", "the loss is NaN", None, 0)


def test_a_twin_of_what_is_running_waits_for_it(told: Told) -> None:
    """Two trainings of one cell would share its folder."""
    told.ask()
    told.report(0, 1, 20.0)
    second, third = told.ask(), told.ask()
    assert [(one["number"], one["known"]) for one in (second, third)] == [(1, "[20.0]"), (2, "[20.0]")]
    told.report(1, 1, 20.0)
    told.records.report(2, {SCORE: UNKNOWN})  # what it would say if there were no score yet
    assert told.end(1) == SearchTrial(1, told.kept(0).point, told.kept(0).cell, same_as=0)
    assert told.notes == []
    told.report(0, 2, 30.0)
    told.end(0)
    for number in (1, 2):
        seconds = told.kept(number).seconds
        assert told.kept(number) == replace(told.kept(0), number=number, same_as=0, seconds=seconds)
    ended = told.end(2)  # it was still at work
    assert ended.status == "finished"
    assert [note.partition(":")[0] for note in told.notes] == ["1/3 trials", "2/3 trials", "3/3 trials"]


def test_a_twin_that_waited_when_the_run_was_killed_is_asked_again(told: Told) -> None:
    told.ask()
    told.ask()
    told.end(1)
    later = told.again()
    config = later.ask()
    assert (config["number"], "cell" in config) == (0, True)
    assert later.ask()["number"] == 1
    later.report(0, 2, 30.0)
    later.end(0)
    assert later.kept(1).status == "finished"


def test_a_record_that_cannot_be_written_ends_the_search_and_no_trial(told: Told) -> None:
    told.folder.place.write("trials/00000.json/in", b"the way")
    told.ask()
    (error,) = told.lost
    assert "trials/00000.json: there is a folder instead of a file" in str(error)
    assert told.records.trials[0].status == "running"


def test_records_can_be_pickled(told: Told) -> None:
    told.ask()
    copy = pickle.loads(pickle.dumps(told.records))
    assert (copy.trials, copy.search.id, copy.note) == (told.records.trials, told.records.search.id, None)


def test_a_point_in_words() -> None:
    point: Point = {TEMPERATURE: 0.123456, "objective.pretext.speed": True, "objective.pretext.order": False, "n": 3}
    assert shown(point) == "contrastive.temperature 0.123, pretext.speed, n 3"


def points(search: Search, size: str) -> Iterator[Point]:
    for seed in range(100):
        yield suggest(search.axes, RandomSuggestions(np.random.default_rng(seed), {"clip.size": size}))


def test_optuna_knows_the_trials_of_earlier_runs(told: Told, search: Search) -> None:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    given = points(search, "16")
    ended = [
        SearchTrial(0, next(given), "a", "finished", (10.0, 40.0)),
        SearchTrial(1, next(given), "b", "stopped", (30.0,)),
        SearchTrial(2, next(given), "c", "failed", (99.0,), "NaN"),
        SearchTrial(4, next(given), "a", "finished", (10.0, 40.0), same_as=0),
    ]
    point = next(given)
    running = [SearchTrial(3, point, cell_id(search.trial(point))), SearchTrial(5, next(points(search, "64")), "")]
    told.records.trials = {trial.number: trial for trial in (*ended, *running)}
    for trial in ended:
        frozen = _known(search, trial)
        assert frozen.params == trial.point
        assert frozen.value == (trial.score or 0.0)
        distributions = frozen.distributions
        assert distributions[TEMPERATURE] == FloatDistribution(0.05, 1.0, log=True)
        assert distributions["clip.size"] == CategoricalDistribution(("16", "64"))
        assert (QUEUE in distributions) == (QUEUE in trial.point)

    told.records.search = of_trials(search, 9)
    suggestions = told.suggestions()
    study: Any = suggestions._ot_study
    kept = study.get_trials()
    assert [trial.value for trial in kept[:4]] == [40.0, 30.0, 0.0, 40.0]
    assert study.best_value == 40.0
    assert len(kept) == 6, "two are in the queue"
    # The interrupted ones are asked first, with their own points and numbers.
    asked: list[Any] = [suggestions.suggest(f"tune{index}") for index in range(3)]
    assert [config["number"] for config in asked] == [3, 5, 6]
    assert [told.kept(number).point for number in (3, 5)] == [trial.point for trial in running]
    suggestions.on_trial_complete("tune0", {SCORE: 55.0, "training_iteration": 2})
    assert (study.best_value, study.best_params) == (55.0, running[0].point)
    suggestions.on_trial_complete("tune2", {SCORE: UNKNOWN, "training_iteration": 1})
    assert study.best_value == 55.0
    assert [trial.value for trial in study.get_trials()[4:]] == [55.0, None, None], "nothing is learned of it"


def test_the_same_search_suggests_the_same_and_a_later_run_goes_on(told: Told, search: Search, tmp_path: Path) -> None:
    def asked(told: Told, count: int) -> list[Point]:
        suggestions = told.suggestions()
        numbers = [suggestions.suggest(str(index))["number"] for index in range(count)]
        return [told.records.trials[number].point for number in numbers]

    first = asked(told, 3)
    other = Told(Records(search, results.open(tmp_path / "other").search("s"), print, print), told.folder)
    assert asked(other, 3) == first
    assert told.suggestions().suggest("more") == Searcher.FINISHED, "three trials"
    later = told.again()
    for number, trial in later.records.trials.items():
        later.records.trials[number] = replace(trial, status="finished", scores=(1.0, 2.0))
    later.records.search = of_trials(search, 7)
    assert not [point for point in asked(later, 4) if point in first]


def of_trials(search: Search, count: int) -> Search:
    return replace(search, options=search.options.model_copy(update={"trials": count}))


def test_two_runs_share_a_search(told: Told, search: Search) -> None:
    told.records.search = of_trials(search, 5)
    alive = {"one", "two"}
    one, two = told.beside("one", alive), told.beside("two", alive)
    of_one, of_two = one.suggestions(), two.suggestions()
    asked = [
        one.records.trials[of_one.suggest("a")["number"]],
        two.records.trials[of_two.suggest("a")["number"]],
        two.records.trials[of_two.suggest("b")["number"]],
    ]
    assert [(trial.number, trial.run) for trial in asked] == [(0, "one"), (1, "two"), (2, "two")]
    assert len({str(trial.point) for trial in asked}) == 3, "the first that Optuna gives the second run is the first's"
    assert (one.records.free(), two.records.free()) == (4, 2)
    two.report(1, 2, 30.0)
    two.end(1)
    number = of_one.suggest("b")["number"]
    assert one.records.trials[1] == two.kept(1)
    assert [trial.value for trial in of_one._ot_study.get_trials()].count(30.0) == 1, "it learns from the other"
    assert number == 3
    assert of_two.suggest("c")["number"] == 4
    assert of_one.suggest("c") == of_two.suggest("d") == Searcher.FINISHED
    assert sorted(one.records.theirs()) == [2, 4]
    alive.remove("two")
    assert one.records.free() == 2
    taken_up = [one.suggestions().suggest("d")["number"] for _ in range(2)]
    assert taken_up == [2, 4]
    assert [one.kept(number).run for number in taken_up] == ["one"] * 2
    assert one.records.free() == 0


def test_a_space_that_another_run_is_at_is_waited_for(told: Told, search: Search) -> None:
    sizes = replace(search.axes[0], values={"16": 16})
    told.records.search = replace(search, axes=(sizes,))
    one, two = told.beside("one", {"two"}), told.beside("two", {"one"})
    assert one.suggestions().suggest("a")["number"] == 0
    assert two.suggestions().suggest("a") == Searcher.FINISHED
    assert list(two.records.theirs()) == [0]
    one.report(0, 2, 30.0)
    one.end(0)
    config = two.suggestions().suggest("b")
    assert json.loads(config["known"]) == [30.0, 30.0]


def test_what_a_killed_run_still_trains_is_asked_again(told: Told) -> None:
    told.ask()
    told.end(0, **{SCORE: UNKNOWN, LOST: f"{CLAIMED} (killed)"})
    assert told.records.free() == 3
    assert told.ask()["number"] == 0
