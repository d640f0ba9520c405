"""Ctrl-C, SIGTERM and SIGHUP end a command alike: quietly, in order, and with a status that says which it was."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from raysl import results
from raysl.signals import ENDING, ended_by_signals, handlers_restored, received
from tests.engine.processes import below
from tests.planning.studies import RECIPE, write_study

LONG = """
title: "Long"
base: recipe
rows: {long: {}}
seeds: [3, 4]
evaluations: [retrieval/synthetic]
training: {steps: 100000, batch_size: 8, checkpoint_steps: 2}
"""


ON_RAY = [pytest.mark.ray, pytest.mark.cluster]


@pytest.fixture(autouse=True)
def _as_in_a_terminal() -> Iterator[None]:
    """The suite itself may have been started with some of them ignored, as by nohup."""
    before = {number: signal.getsignal(number) for number in ENDING}
    usual()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def usual() -> None:
    for number in ENDING:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


@pytest.mark.parametrize("number", ENDING)
def test_each_is_an_interrupt_and_is_remembered(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with ended_by_signals():
        assert received() is None
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        assert received() == number
    assert signal.getsignal(number) is before


def test_what_a_process_was_started_to_ignore_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ended_by_signals():
            signal.raise_signal(signal.SIGHUP)
            assert received() is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_library_does_not_keep_the_handlers_that_it_sets() -> None:
    with ended_by_signals():
        ours = signal.getsignal(signal.SIGTERM)
        with handlers_restored():
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        assert signal.getsignal(signal.SIGTERM) is ours


def test_a_process_of_a_pool_leaves_in_order_though_it_is_ended_twice() -> None:
    """A pool sends SIGTERM to all of its processes as soon as one of them has ended."""
    program = """
import signal
from raysl.signals import leave_requested, leave_ending_to_parent, saving_first

leave_ending_to_parent()
try:
    with saving_first():
        signal.raise_signal(signal.SIGTERM)
        assert leave_requested()
        signal.raise_signal(signal.SIGTERM)
        print("saved")
finally:
    signal.raise_signal(signal.SIGTERM)
    print("cleaned up")
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.split("\n") == ["saved", "cleaned up", ""]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the videos, which the first run makes."""
    return tmp_path_factory.mktemp("cache")


def alive_in_the_end(processes: list[int], patience: float = 60.0) -> list[int]:
    """Those that stay, also after the time that Ray's processes take to see that theirs is gone."""
    until = time.monotonic() + patience
    while (alive := [pid for pid in processes if is_alive(pid)]) and time.monotonic() < until:
        time.sleep(0.2)
    return alive


def is_alive(pid: int) -> bool:
    """A process that nobody has waited for yet is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "number", "group"),
    [
        (["--local"], signal.SIGHUP, False),
        (["--local", "--max-concurrent", "2"], signal.SIGTERM, False),
        (["--local", "--max-concurrent", "2"], signal.SIGINT, True),
        pytest.param([], signal.SIGTERM, False, marks=ON_RAY),
        pytest.param(["--set", "training.workers=2"], signal.SIGINT, True, marks=ON_RAY),
    ],
)
def test_a_run_that_is_ended_leaves_nothing_behind(
    options: list[str], number: signal.Signals, group: bool, tmp_path: Path, cache: Path
) -> None:
    """A terminal's signals reach all processes of the group; a scheduler's the first alone."""
    temporary = Path(tempfile.mkdtemp(prefix="t"))  # pytest's own is too long for Ray's sockets
    store = results.open(tmp_path / "store")
    study = write_study(tmp_path, LONG, RECIPE)
    places = ["--storage", store.place.root, "--reports", str(tmp_path / "reports"), "--cache", str(cache)]
    run = subprocess.Popen(
        [sys.executable, "-m", "raysl", "run", str(study), *places, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(temporary)},
        preexec_fn=usual,  # what is ignored here, children would inherit
    )
    patience = time.monotonic() + 240  # less than the limit of a test, which would leave the run behind
    try:
        while not any(cell.latest_checkpoint() for cell in store.cells()):
            assert run.poll() is None, run.communicate()
            assert time.monotonic() < patience, "no checkpoint yet"
            time.sleep(0.2)
        processes = [pid for pid, command in below(run.pid) if "resource_tracker" not in command]
        (os.killpg if group else os.kill)(run.pid, number)
        told, said = run.communicate(timeout=120)
        left = [path.name for path in temporary.glob("raysl-*")]
    finally:
        run.kill()
        shutil.rmtree(temporary, ignore_errors=True)
    assert run.returncode == 128 + number, told + said
    lines = [line for line in said.splitlines() if "warn" not in line.lower()]
    what = "interrupted" if number == signal.SIGINT else f"ended by {number.name}"
    assert len(lines) == 1, said
    assert lines[0].startswith(f"{what}: what is done is kept, and of cells under work their last checkpoints; ")
    assert alive_in_the_end(processes) == []
    assert left == []
    states = {cell.state().status for cell in store.cells()}
    assert "interrupted" in states
    assert "running" not in states
