"""Two runs on one store share its cells: each is computed once."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from raysl import results
from raysl.results import Store
from raysl.results.encoding import to_json
from raysl.results.folder import HEARTBEAT_LIMIT
from raysl.work.claims import ClaimedError, claimed, claims, living, others
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


def say(store: Store, run: str, time: float, since: float, held: bool) -> None:
    store.place.write(f"claims/{CELL}/{run}.json", to_json({"time": time, "since": since, "held": held}))


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


@pytest.mark.parametrize(("since", "held", "ours"), [(-5.0, False, False), (5.0, False, True), (5.0, True, False)])
def test_of_two_that_begin_together_the_first_goes_on(store: Store, since: float, held: bool, ours: bool) -> None:
    """One that computes keeps its cell, whatever the clocks say."""
    now = time.time()
    say(store, "other", now, now + since, held)
    if ours:
        with claimed(store, CELL, "mine"):
            pass
    else:
        with pytest.raises(ClaimedError), claimed(store, CELL, "mine"):
            pass


def test_a_dead_claim_keeps_nobody_out_and_is_removed(store: Store) -> None:
    old = time.time() - 2 * HEARTBEAT_LIMIT
    say(store, "dead", old, old, held=True)
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


@pytest.mark.slow
def test_two_runs_at_once_compute_each_cell_once(tmp_path: Path) -> None:
    study = write_study(tmp_path, STUDY, SMALL_RECIPE)

    def run(name: str) -> subprocess.Popen[str]:
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
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    runs = [run("one"), run("two")]
    said = [one.communicate(timeout=300)[0] for one in runs]
    assert [one.returncode for one in runs] == [0, 0], said
    store = results.open(tmp_path / "store")
    assert [len(cell.attempts()) for cell in store.cells()] == [1] * 6, said
    assert any("another run" in text for text in said)
    tables = [(tmp_path / name / "study/table.csv").read_bytes() for name in ("one", "two")]
    assert tables[0] == tables[1]
    assert store.place.sizes("claims") == {}
