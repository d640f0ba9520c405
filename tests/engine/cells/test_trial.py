"""The trial of one worker: training does not wait for the driver."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from raysl import results
from raysl.data.places import Places
from raysl.engine.cells.crew import Done
from raysl.engine.cells.jobs import packed
from raysl.engine.cells.trial import _here
from raysl.engine.progress.board import Post, start_board
from tests.work.plans import plan, site_here

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.usefixtures("local_ray")]


def test_training_goes_on_while_the_driver_takes_no_report(
    tmp_path: Path, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupted driver takes none, and cells must come to the step at which they save."""
    taken = threading.Event()
    reports: list[dict[str, float]] = []

    def report(numbers: dict[str, float]) -> None:
        reports.append(numbers)
        assert taken.wait(120)

    monkeypatch.setattr("ray.tune.report", report)
    monkeypatch.setattr(Post, "listen", lambda self: None)  # this process outlives the board
    (cell,) = plan(tmp_path, {"one": "{training.steps: 6}"})
    site = site_here([cell], results.open(tmp_path / "store"), places)
    done: list[Done] = []
    job = packed(cell, site, Post(start_board(), cell.key))
    trial = threading.Thread(target=lambda: done.append(_here(job)))
    trial.start()
    patience = time.monotonic() + 60
    while site.folder(cell).state().status != "done" and time.monotonic() < patience:
        time.sleep(0.1)
    assert site.folder(cell).state().status == "done"
    assert (len(reports), done) == (1, []), "the first report waits"
    taken.set()
    trial.join(60)
    assert done == [Done()]
    assert [one["step"] for one in reports] == sorted(one["step"] for one in reports)
    assert reports[-1]["step"] == 6
