"""Fine-tuning over two workers, of what is pretrained already."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl import results
from raysl.data.places import Places
from raysl.engine.driver import run_on_cluster
from raysl.work.compute import pretrain_cell
from raysl.work.events import Event, Overview
from tests.work.plans import site_here
from tests.work.test_compute import fine_tuned

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
