"""A search with two DDP workers a trial, by the command: ASHA stops trials, and the best become a table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from raysl.data.places import Places
from tests.engine.searches import search_file

pytestmark = [pytest.mark.ray, pytest.mark.slow]


def test_two_workers_are_stopped_early_and_the_best_become_a_table(tmp_path: Path, places: Places) -> None:
    study = search_file(tmp_path, 3, "training: {workers: 2, steps: 16}\ndata: {train_per_class: 16}\n")
    command = [sys.executable, "-m", "raysl", "run", str(study), "--storage", str(tmp_path / "store")]
    command += ["--reports", str(tmp_path / "reports"), "--cache", str(places.cache)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    trials = pd.read_csv(tmp_path / "reports/hunt/trials.csv")
    assert set(trials.status) == {"finished", "stopped"}
    assert (trials.reports[trials.status == "stopped"] < 4).all()
    table = pd.read_csv(tmp_path / "reports/hunt/table.csv")
    assert list(table.row) == ["random", "best 1"]
    assert table["mean"].notna().all()
    best = trials[trials.status == "finished"].sort_values(["score", "number"], ascending=[False, True]).iloc[0]
    assert f"| best 1 | {best.number} " in " ".join((tmp_path / "reports/hunt/table.md").read_text().split())
