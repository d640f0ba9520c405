"""Fine-tuning over two workers, of what is pretrained already; and beside what is still pretrained."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl import results
from raysl.data.places import Places
from raysl.engine.driver import run_on_cluster
from raysl.work.compute import pretrain_cell
from raysl.work.events import Event, Overview
from raysl.work.run_cells import RunOptions
from tests.work.followers import FINETUNE, waiting_for_a_follower
from tests.work.plans import plan, site_here
from tests.work.test_compute import fine_tuned
from tests.work.test_order import NAN

pytestmark = pytest.mark.slow


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_two_workers_fine_tune_what_is_pretrained_already(tmp_path: Path, places: Places) -> None:
    store, events = results.open(tmp_path / "store"), list[Event]()
    cells = fine_tuned(tmp_path, "finetune/synthetic, retrieval/synthetic", workers=2)
    cell, tuned = cells[1], cells[3]
    site = site_here(cells, store, places)
    assert pretrain_cell(cell, site) is None
    outcome = run_on_cluster([cell], store, places, on_event=events.append)
    assert (outcome.failed, outcome.missing) == ({}, {})
    assert outcome.done == outcome.computed == (cell.title, tuned.title)
    found = site.shelf.find(cell)
    assert [one.status for one in found.evaluations] == ["done", "done"]
    for one in (cell, tuned):
        folder = site.folder(one)
        assert len(folder.attempts()) == 1
        for name in folder.evaluations():
            predictions = folder.predictions(name)
            assert predictions is not None
            assert len(predictions) == 8
    provenance = site.folder(tuned).provenance() or {}
    assert provenance["attempts"][0]["workers"] == 2
    stages = {running.stage for event in events if isinstance(event, Overview) for running in event.running}
    assert stages <= {"starting", "pretraining", "fine-tuning", "evaluating"}


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_a_fine_tuning_begins_beside_pretrainings_that_go_on(tmp_path: Path, places: Places) -> None:
    """The long row ends once the other's fine-tuning is done: in rounds it would wait for ever."""
    store = results.open(tmp_path / "store")
    cells = waiting_for_a_follower(tmp_path, store, places)
    outcome = run_on_cluster(cells, store, places)
    assert (outcome.failed, outcome.missing) == ({}, {})
    assert len(outcome.done) == 4


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_one_cell_at_a_time_and_none_after_one_that_failed(tmp_path: Path, places: Places) -> None:
    store, events = results.open(tmp_path / "store"), list[Event]()
    rows = {"nan": NAN, "one": "{training.steps: 1}"}
    cells = plan(tmp_path, rows, "finetune/synthetic", extra=FINETUNE)
    outcome = run_on_cluster(cells, store, places, RunOptions(max_concurrent=1), events.append)
    assert outcome.done == ("tiny/one/seed0", "tiny/one/seed0/finetune/synthetic")
    assert list(outcome.failed) == ["tiny/nan/seed0"]
    assert "it starts from tiny/nan/seed0" in outcome.missing["tiny/nan/seed0/finetune/synthetic"]
    assert max(len(event.running) for event in events if isinstance(event, Overview)) == 1
