"""Two runs on one store share its cells: each is computed once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Thread, Timer

import pytest

from raysl import results
from raysl.results import Store
from raysl.results.encoding import to_json
from raysl.results.folder import HEARTBEAT_LIMIT
from raysl.work.claims import ClaimedError, claimed, claims, in_turn, living, others
from tests.planning.studies import SMALL_RECIPE, write_study

CELL = "0123456789ab-01234567"
STUDY = """
title: "Shared"
base: recipe
rows: {a: {}, b: {objective.contrastive.temperature: 0.2}, c: {objective.contrastive.temperature: 0.3}}
seeds: [0, 1]
evaluations: [retrieval/synthetic]
training: {steps: 12}
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return results.open(tmp_path / "store")


def say(store: Store, run: str, number: int | None, ahead: float = 0.0, silent: float = 0.0) -> None:
    """Writes the claim of another machine.

    Args:
        ahead: seconds by which its clock is.
        silent: seconds since it was renewed.
    """
    then, path = time.time() + ahead - silent, f"claims/{CELL}/{run}.json"
    store.place.write(path, to_json({"time": then, "since": then, "number": number, "process": ["there", "1", "1"]}))
    written = time.time() - silent
    os.utime(f"{store.place.root}/{path}", (written, written))


def test_a_claim_is_seen_by_others_and_gone_in_the_end(store: Store) -> None:
    with claimed(store, CELL, "mine"):
        assert others(store, CELL, "mine") == []
        (seen,) = others(store, CELL, "theirs")
        assert seen.run == "mine"
        with pytest.raises(ClaimedError, match=r"another run computes it \(mine\)"), claimed(store, CELL, "theirs"):
            pass
        assert [one.run for one in claims(store, CELL)] == ["mine"]
    assert claims(store, CELL) == []


def test_processes_of_one_run_do_not_keep_each_other_out(store: Store) -> None:
    with claimed(store, CELL, "mine"):
        with claimed(store, CELL, "mine"):
            assert [one.run for one in claims(store, CELL)] == ["mine"]
        assert others(store, CELL, "mine") == []
    assert claims(store, CELL) == []


@pytest.mark.parametrize("ahead", [-600.0, 0.0, 600.0])
@pytest.mark.parametrize(("silent", "ours"), [(0.0, False), (HEARTBEAT_LIMIT / 2, False), (2 * HEARTBEAT_LIMIT, True)])
def test_who_lives_is_told_by_the_clock_of_the_store(store: Store, ahead: float, silent: float, ours: bool) -> None:
    say(store, "other", 1, ahead, silent)
    assert bool(others(store, CELL, "mine")) != ours
    if ours:
        with claimed(store, CELL, "mine"):
            pass
    else:
        with pytest.raises(ClaimedError), claimed(store, CELL, "mine"):
            pass


@pytest.mark.slow
def test_one_that_draws_its_number_is_waited_for(store: Store) -> None:
    """It may have looked before this run wrote its own."""
    say(store, "other", None)
    Timer(0.5, lambda: say(store, "other", 1)).start()
    with pytest.raises(ClaimedError, match="other"), claimed(store, CELL, "run that comes later by its name"):
        pass
    say(store, "other", None)
    Timer(0.5, lambda: say(store, "other", 2)).start()
    with claimed(store, CELL, "mine"):
        pass


def test_of_many_that_begin_together_one_goes_on(store: Store) -> None:
    inside, left, most = list[int](), list[int](), list[int]()

    def run(number: int) -> None:
        try:
            with claimed(store, CELL, f"run{number}"):
                inside.append(number)
                most.append(len(inside))
                time.sleep(0.3)
                inside.remove(number)
        except ClaimedError:
            left.append(number)

    runs = [Thread(target=run, args=(number,)) for number in range(8)]
    for one in runs:
        one.start()
    for one in runs:
        one.join()
    assert set(most) == {1}
    assert len(most) + len(left) == 8
    assert claims(store, CELL) == []


def test_what_is_done_in_turn_is_done_by_all(store: Store) -> None:
    inside, most = list[int](), list[int]()

    def run(number: int) -> None:
        with in_turn(store, "records", f"run{number}"):
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.05)
            inside.remove(number)

    runs = [Thread(target=run, args=(number,)) for number in range(4)]
    for one in runs:
        one.start()
    for one in runs:
        one.join()
    assert most == [1] * 4


def test_a_claim_that_a_run_of_this_process_left_is_dead(store: Store) -> None:
    """As on a disk that became read-only."""
    with claimed(store, CELL, "ended"):
        left = store.place.read(f"claims/{CELL}/ended.json")
    assert left is not None
    store.place.write(f"claims/{CELL}/ended.json", left)
    assert others(store, CELL, "mine") == []


def test_a_dead_claim_keeps_nobody_out_and_is_removed(store: Store) -> None:
    say(store, "dead", 1, silent=2 * HEARTBEAT_LIMIT)
    store.place.write(f"claims/{CELL}/cut.json", b'{"time": 1')
    with claimed(store, CELL, "mine"):
        pass
    assert living(store, CELL, "mine") == []
    assert claims(store, CELL) == []


def test_the_claim_of_a_process_of_this_machine_that_was_killed_is_dead_at_once(tmp_path: Path) -> None:
    store = results.open(tmp_path / "store")
    script = f"""
import time
from raysl import results
from raysl.work.claims import claimed
with claimed(results.open({str(tmp_path / "store")!r}), {CELL!r}, "killed"):
    print("claimed", flush=True)
    time.sleep(600)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "claimed\n"
        assert [one.run for one in others(store, CELL, "mine")] == ["killed"]
    finally:
        process.kill()
        process.wait()
    assert [one.run for one in claims(store, CELL)] == ["killed"]
    assert others(store, CELL, "mine") == []


SHIFTED = """
import time
now = time.time
time.time = lambda: now() + AHEAD
"""
"""A module that Python imports at its start."""


@pytest.mark.slow
def test_two_runs_at_once_compute_each_cell_once(tmp_path: Path) -> None:
    """Also where the clock of the second one's machine is wrong: to it, the first one's is behind."""
    study = write_study(tmp_path, STUDY, SMALL_RECIPE)
    (tmp_path / "sitecustomize.py").write_text(SHIFTED.replace("AHEAD", "600"))
    shifted = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}

    def run(name: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        places = ["--storage", str(tmp_path / "store"), "--cache", str(tmp_path / "cache")]
        command = [
            sys.executable,
            "-m",
            "raysl",
            "run",
            str(study),
            "--local",
            *places,
            "--reports",
            str(tmp_path / name),
        ]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)

    runs = [run("one"), run("two", shifted)]
    said = [one.communicate(timeout=300)[0] for one in runs]
    assert [one.returncode for one in runs] == [0, 0], said
    store = results.open(tmp_path / "store")
    assert [len(cell.attempts()) for cell in store.cells()] == [1] * 6, said
    assert any("another run" in text for text in said)
    tables = [(tmp_path / name / "study/table.csv").read_bytes() for name in ("one", "two")]
    assert tables[0] == tables[1]
    assert store.place.sizes("claims") == {}


@pytest.mark.parametrize("ahead", [-600, 600])
def test_a_machine_whose_clock_is_wrong_sees_what_runs_and_what_was_interrupted(
    ahead: int, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = time.time
    folder = store.named(CELL)
    folder.write_config({"training": {"seed": 0}})
    attempt = folder.start_attempt()
    monkeypatch.setattr("raysl.results.place._clocks", {})
    monkeypatch.setattr("time.time", lambda: right() + ahead)
    assert folder.state().status == "running"
    written = right() - 2 * HEARTBEAT_LIMIT
    os.utime(f"{attempt.place.root}/heartbeat.json", (written, written))
    assert folder.state().status == "interrupted"
    folder.start_attempt()
    assert folder.state().status == "running", "by its own clock"
    monkeypatch.setattr("time.time", right)
    assert folder.state().status == "running", "by another's"
    folder.end_attempts()
    assert folder.state().status == "interrupted"
