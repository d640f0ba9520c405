"""What processes of Ray say reaches who runs it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, cast

import pytest
from ray._private.utils import publish_error_to_driver
from ray._private.worker import global_worker

from raysl import results
from raysl.data.places import Places
from raysl.engine.driver import run_on_cluster
from raysl.engine.progress.ray_messages import LONGEST, in_one_line
from raysl.notes import heard
from raysl.work.events import Event, Note
from tests.test_notes import on_a_full_disk
from tests.work.plans import plan

RAYLET_DIED = """Raylet is terminated. Termination is unexpected. Possible reasons include: (1) SIGKILL by the user or \
system OOM killer, (2) Other termination signals. Last 20 lines of the Raylet logs:
    [state-dump] NodeManager:
    [2026-11-26 21:04:49,824 I 32708 32708] (raylet) metrics_agent_client.cc:59: Exporter initialized.
"""
LINE = (
    "Ray: Raylet is terminated. Termination is unexpected. Possible reasons include: (1) SIGKILL by the user or system "
    "OOM killer, (2) Other termination signals. (more in Ray's logs)"
)


@pytest.mark.ray
@pytest.mark.slow
def test_a_cache_disk_that_is_full_is_said_once_and_the_cell_is_computed(tmp_path: Path, local_ray: None) -> None:
    """By either of two workers; by a trial alone, below."""
    cache = on_a_full_disk(tmp_path / "cache" / "frames").parent
    work, events = plan(tmp_path, {"plain": "{training.steps: 2, training.workers: 2}"}), list[Event]()
    outcome = run_on_cluster(work, results.open(tmp_path / "store"), Places({}, cache), on_event=events.append)
    assert outcome.done == ("tiny/plain/seed0",)
    notes = [event.text for event in events if isinstance(event, Note) and "its disk is full" in event.text]
    assert len(notes) == 1


@pytest.mark.ray
@pytest.mark.slow
def test_what_a_trial_alone_finds_is_said(tmp_path: Path, local_ray: None) -> None:
    """Data are known and cached when the run begins; then the cells find files of the cache gone, and no room."""
    work = plan(tmp_path, {"plain": "{training.steps: 2}", "again": "{training.steps: 3}"})
    store, events = results.open(tmp_path / "store"), list[Event]()

    def on_event(event: Event) -> None:
        events.append(event)
        if isinstance(event, Note) and event.text.startswith("data set"):
            for file in (cache / "frames").rglob("*.u8"):
                file.unlink()
            (cache / "frames" / "ledger").unlink()
            (cache / "frames" / "ledger").symlink_to("/dev/full")

    cache = tmp_path / "cache"
    outcome = run_on_cluster(work, store, Places({}, cache), on_event=on_event)
    assert len(outcome.done) == 2
    assert sum("its disk is full" in event.text for event in events if isinstance(event, Note)) == 1


@pytest.mark.ray
@pytest.mark.slow
def test_what_ray_tells_a_driver_is_one_line_once(local_ray: None, capfd: pytest.CaptureFixture[str]) -> None:
    told = list[str]()
    with heard(told.append):
        for message in (RAYLET_DIED, RAYLET_DIED, "the last"):
            publish_error_to_driver("a test", message, cast(Any, global_worker).gcs_client)
        ends = time.monotonic() + 60
        while "Ray: the last" not in told:
            assert time.monotonic() < ends
            time.sleep(0.1)
    assert told == [LINE, "Ray: the last"]
    assert "Raylet" not in "".join(capfd.readouterr())


def test_long_messages_of_ray_are_cut() -> None:
    assert in_one_line(f"the node {'75a19fb5' * 7} is gone\n") == "Ray: the node 75a19fb5 is gone"
    cut = in_one_line("word " * 200)
    assert len(cut) < LONGEST + 40
    assert cut.endswith("word … (more in Ray's logs)")
