"""A search with two DDP workers a trial, on its own Ray: the CPUs of trials that ASHA stops are free for others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from raysl import results
from raysl.data.places import Places
from tests.engine.searches import TWO_WORKERS, search_in, search_study

pytestmark = [pytest.mark.ray, pytest.mark.cluster, pytest.mark.slow]


def test_two_workers_are_stopped_early(tmp_path: Path, places: Places) -> None:
    command = [sys.executable, "-m", "tests.engine.searches", str(tmp_path), str(places.cache)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    _, trials = search_in(search_study(tmp_path, 3, TWO_WORKERS), results.open(tmp_path / "store"))
    assert len(trials) == 3
    assert {trial.status for trial in trials} == {"finished", "stopped"}
    assert all(len(trial.scores) < 4 for trial in trials if trial.status == "stopped")
