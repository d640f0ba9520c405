"""Searches in a store, on both kinds of place."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import raysl.results as results
from raysl.errors import StorageError
from raysl.results import SearchFolder, SearchTrial, Store, best_trials

POINT: dict[str, str | int | float | bool] = {"rate": 0.1 + 0.2, "layers": 3, "norm": True, "name": "ä | b"}


@pytest.fixture
def search(store: Store) -> SearchFolder:
    return store.search("c0ffee-d00d")


def finished(number: int, *scores: float, same_as: int | None = None) -> SearchTrial:
    return SearchTrial(number, {"rate": 0.1}, f"cell{number}", "finished", scores, same_as=same_as)


@pytest.mark.parametrize(
    "trial",
    [
        SearchTrial(0, POINT, "a"),
        SearchTrial(3, POINT, "a", "finished", (33.3, 100 / 3)),
        SearchTrial(12, {}, "a", "stopped", (1.0,), same_as=3),
        SearchTrial(123456, {}, "", "failed", reason="no\nsuch width"),
    ],
)
def test_a_record_comes_back_as_it_was(search: SearchFolder, trial: SearchTrial) -> None:
    assert search.trial(trial.number) is None
    search.save(trial)
    assert search.trial(trial.number) == trial
    assert search.trials() == [trial]


def test_a_record_takes_the_place_of_the_last(search: SearchFolder) -> None:
    search.save(SearchTrial(0, {}, "a"))
    search.save(SearchTrial(0, {}, "a", "stopped", (2.0,)))
    assert [trial.status for trial in search.trials()] == ["stopped"]


def test_trials_are_by_number(search: SearchFolder) -> None:
    assert search.trials() == []
    for number in (100000, 10, 2, 0, 99999):
        search.save(SearchTrial(number, {}, "a"))
    search.place.write("trials/notes.txt", b"by a person")
    assert [trial.number for trial in search.trials()] == [0, 2, 10, 99999, 100000]


def test_searches_are_apart_from_each_other_and_from_cells(store: Store, search: SearchFolder) -> None:
    search.save(finished(0, 1.0))
    store.of_search(search.name).folder("a", "b").write_config({"training": {"seed": 0}})
    assert store.search("other").trials() == []
    assert store.cells() == []
    assert store.frame().empty
    assert [cell.name for cell in store.of_search(search.name).cells()] == ["a-b"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'{"number": 7, "poi',
        b"[1, 2]",
        b"{}",
        b'{"number": 7, "status": "finished", "scores": [1.0]}',
        b'{"number": 7, "point": {}, "cell": "a", "status": "finished", "scores": null}',
        b'{"number": 7, "point": {}, "cell": "a", "status": "finished", "scores": ["high"]}',
        b'{"number": 7, "point": {}, "cell": "a", "status": "won", "scores": [1.0]}',
        b'{"number": 7, "point": {}, "cell": "a", "status": "finished", "scores": [1.0], "mood": 1}',
    ],
)
def test_a_broken_record_is_one_error_that_names_it(search: SearchFolder, data: bytes) -> None:
    search.save(finished(6, 1.0))
    search.place.write("trials/00007.json", data)
    with pytest.raises(StorageError, match=r"c0ffee-d00d/trials/00007\.json is no record of a trial .*raysl run tries"):
        search.trials()
    assert search.trial(6) is not None


def test_score_is_the_last_and_none_of_what_failed() -> None:
    assert finished(0, 50.0, 40.0).score == 40.0
    assert finished(0).score is None
    assert SearchTrial(0, {}, "a", "failed", (40.0,), "NaN").score is None
    assert SearchTrial(0, {}, "a", "running", (40.0,)).score == 40.0
    ended = [SearchTrial(0, {}, "a", status).ended for status in ("running", "finished", "stopped", "failed")]
    assert ended == [False, True, True, True]


def test_the_best_are_finished_and_by_their_last_score() -> None:
    trials = [
        finished(0, 90.0, 10.0),
        finished(1, 10.0, 30.0),
        SearchTrial(2, {}, "a", "stopped", (99.0,)),
        SearchTrial(3, {}, "a", "running", (99.0,)),
        SearchTrial(4, {}, "a", "failed", (99.0,), "NaN"),
        finished(5, 20.0),
    ]
    assert [trial.number for trial in best_trials(trials, 5)] == [1, 5, 0]
    assert [trial.number for trial in best_trials(trials, 2)] == [1, 5]
    assert best_trials(trials, 0) == []


def test_a_configuration_is_among_the_best_once_and_of_equals_the_earlier() -> None:
    trials = [finished(4, 30.0), finished(2, 30.0), finished(7, 40.0, same_as=3), finished(3, 40.0), finished(9, 5.0)]
    assert [trial.number for trial in best_trials(trials, 3)] == [3, 2, 4]


def test_dropping_weights_leaves_all_but_one_cells_checkpoints(store: Store, search: SearchFolder) -> None:
    inner = store.of_search(search.name)
    for home, cell_id in ((inner, "a"), (inner, "ab"), (store, "a")):
        cell = home.folder(cell_id, "d")
        cell.write_config({"training": {"seed": 0}})
        attempt = cell.start_attempt()
        attempt.save_checkpoint(1, b"weights")
        attempt.write_curves(pd.DataFrame({"step": [1], "loss": [1.0]}))
    search.save(finished(0, 1.0))
    before = set(store.place.sizes())
    search.drop_weights({"a"})
    gone = before - set(store.place.sizes())
    assert len(gone) == 2, "the checkpoint and its marker"
    assert all(path.startswith("searches/c0ffee-d00d/cells/a-d/") and "/checkpoints/" in path for path in gone)
    assert inner.folder("ab", "d").latest_checkpoint() == (1, b"weights")
    assert store.folder("a", "d").latest_checkpoint() == (1, b"weights")
    assert inner.folder("a", "d").curves() is not None
    search.drop_weights({"a"})
    search.drop_weights(set())
    assert before - set(store.place.sizes()) == gone, "there is nothing more to drop"


def test_a_slim_search_has_the_records_and_no_cells(store: Store, search: SearchFolder, tmp_path: Path) -> None:
    search.write_about({"trials": 2, "axes": {"rate": [0.1, float("inf")]}})
    for number in (1, 0):
        search.save(finished(number, 10.0 * number))
    cell = store.of_search(search.name).folder("a", "b")
    cell.write_config({"training": {"seed": 3}})
    cell.start_attempt().save_checkpoint(1, b"weights")
    store.search("other").save(finished(0, 1.0))
    slim = results.open(tmp_path / "slim")
    assert results.slim_search(store, slim, search.name) == ["search.json", "trials/00000.json", "trials/00001.json"]
    assert slim.search(search.name).trials() == search.trials()
    assert sorted(slim.place.sizes()) == [
        f"searches/{search.name}/{path}" for path in ("search.json", "trials/00000.json", "trials/00001.json")
    ]
    assert slim.place.read(f"searches/{search.name}/search.json") == search.place.read("search.json")


def test_a_slim_search_of_nothing_or_of_a_broken_record_is_refused(
    store: Store, search: SearchFolder, tmp_path: Path
) -> None:
    slim = results.open(tmp_path / "slim")
    with pytest.raises(StorageError, match=r"cannot export .*searches/c0ffee-d00d: there is no search\.json"):
        results.slim_search(store, slim, search.name)
    search.write_about({})
    search.place.write("trials/00000.json", b"{")
    with pytest.raises(StorageError, match=r"trials/00000\.json"):
        results.slim_search(store, slim, search.name)
    assert slim.place.sizes() == {}, "nothing was copied"
