"""What processes of Ray say reaches who runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl import results
from raysl.data.places import Places
from raysl.engine.driver import run_on_cluster
from raysl.work.events import Event, Note
from tests.test_notes import on_a_full_disk
from tests.work.plans import plan

pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_cache_disk_that_is_full_is_said_once_and_the_cell_is_computed(
    workers: int, tmp_path: Path, local_ray: None
) -> None:
    cache = on_a_full_disk(tmp_path / "cache" / "frames").parent
    work, events = plan(tmp_path, {"plain": f"{{training.steps: 2, training.workers: {workers}}}"}), list[Event]()
    outcome = run_on_cluster(work, results.open(tmp_path / "store"), Places({}, cache), on_event=events.append)
    assert outcome.done == ("tiny/plain/seed0",)
    notes = [event.text for event in events if isinstance(event, Note) and "its disk is full" in event.text]
    assert len(notes) == 1


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
