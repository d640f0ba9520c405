"""Supervised rows and fine-tuning in the engine: who trains where, and what is stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl import results
from raysl.data.places import Places
from raysl.engine.cell_work import evaluate_cell, pretrain_cell
from raysl.engine.pending import job, look, uses_workers
from raysl.engine.progress import Event, Running, Snapshot
from raysl.engine.run import run_studies
from raysl.planning.plan import Work, plan_study, unique_work
from raysl.planning.study import load_study
from raysl.results import Store
from raysl.training.progress import Progress
from tests.engine.plans import prepared_here
from tests.planning.studies import write_study

pytestmark = pytest.mark.slow

STUDY = """
title: "Fine-tuning in the engine"
base: recipe
training: {{steps: 2, batch_size: 8, workers: {workers}}}
rows:
  random: {{pretraining: none}}
  supervised: {{pretraining: supervised, supervised.dropout: 0.5}}
seeds: [0]
evaluations: [{evaluations}]
evaluation:
  finetune:
    epochs: 2
    batch_size: 8
    clips: 2
    optimizer: {{name: adamw, learning_rate: {{value: 1e-3, at_batch: 8}}}}
"""


def plan(folder: Path, evaluations: str, workers: int = 1) -> list[Work]:
    path = write_study(folder, STUDY.format(evaluations=evaluations, workers=workers), name="tiny")
    return unique_work(plan_study(load_study(path)))


def labels(store: Store, item: Work) -> dict[str, str]:
    (folder,) = [cell for cell in store.cells() if cell.name.startswith(item.id)]
    return {str(record["label"]): str(record["status"]) for record in folder.evaluations().values()}


def test_cells_are_pretrained_and_fine_tuned_in_one_process(tmp_path: Path, places: Places) -> None:
    store, work = results.open(tmp_path / "store"), plan(tmp_path, "finetune/synthetic, retrieval/synthetic")
    prepared = prepared_here(work, store, places)
    for item in work:
        one = job(look(item, store, prepared), store, places, prepared)
        assert pretrain_cell(one) is None
        assert evaluate_cell(one, trained=False) is None
        assert labels(store, item) == {"retrieval/synthetic": "done"}
        told: list[Progress] = []
        assert evaluate_cell(one, trained=True, on_progress=told.append) is None
        assert [progress.step for progress in told] == [2, 4]
        assert labels(store, item) == {"retrieval/synthetic": "done", "finetune/synthetic": "done"}
        found = look(item, store, prepared)
        assert found.verdict == "done"
        (record,) = [r for r in one.folder.evaluations().values() if r["label"] == "finetune/synthetic"]
        assert record["evaluation"]["protocol"]["epochs"] == 2
        assert len(record["details"]["train_loss"]) == 2
        name = next(evaluation.name for evaluation in one.evaluations if evaluation.trains)
        predictions = one.folder.predictions(name)
        assert predictions is not None
        assert len(predictions) == 8


def test_who_needs_the_workers(tmp_path: Path, places: Places) -> None:
    store = results.open(tmp_path / "store")
    both = plan(tmp_path / "both", "finetune/synthetic, retrieval/synthetic", workers=2)
    features = plan(tmp_path / "features", "retrieval/synthetic", workers=2)
    assert [uses_workers(item) for item in both] == [True, True]
    assert [uses_workers(item) for item in features] == [False, True]
    prepared = prepared_here([*both, *features], store, places)
    jobs = {
        (kind, item.cell.pretraining): job(look(item, store, prepared), store, places, prepared)
        for kind, work in (("both", both), ("features", features))
        for item in work
    }
    assert {key: one.workers for key, one in jobs.items()} == {
        ("both", "none"): 2,
        ("both", "supervised"): 2,
        ("features", "none"): 1,
        ("features", "supervised"): 2,
    }
    random = jobs["both", "none"]
    assert pretrain_cell(random) is None
    assert evaluate_cell(random, trained=True) is None
    # What is left needs no workers; what is done is not asked for again.
    rest = job(look(both[0], store, prepared), store, places, prepared)
    assert rest.workers == 1
    assert [evaluation.trains for evaluation in rest.evaluations] == [False]


def test_a_person_sees_that_it_fine_tunes() -> None:
    progress = Progress(2, 50, 9, 200, 35.0, 1.5, 40.0)
    line = Running("SimCLR/seed1", "fine-tuning", 60.0, progress).line()
    assert line == "SimCLR/seed1: fine-tuning, epoch 2/50, 35 clips/s, 40 s left"


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_two_workers_fine_tune_what_is_pretrained_already(tmp_path: Path, places: Places) -> None:
    store, told = results.open(tmp_path / "store"), list[Event]()
    work = plan(tmp_path, "finetune/synthetic, retrieval/synthetic", workers=2)[1:]
    prepared = prepared_here(work, store, places)
    assert pretrain_cell(job(look(work[0], store, prepared), store, places, prepared)) is None
    outcome = run_studies(work, store, places, on_event=told.append)
    assert (outcome.failed, outcome.missing) == ({}, {})
    assert outcome.done == outcome.computed == ("tiny/supervised/seed0",)
    for item in work:
        assert set(labels(store, item).values()) == {"done"}
        assert len(labels(store, item)) == 2
        (folder,) = [cell for cell in store.cells() if cell.name.startswith(item.id)]
        assert len(folder.attempts()) == 1
        for name in folder.evaluations():
            predictions = folder.predictions(name)
            assert predictions is not None
            assert len(predictions) == 8
    stages = {running.stage for event in told if isinstance(event, Snapshot) for running in event.running}
    assert stages <= {"starting", "pretraining", "fine-tuning", "evaluating"}
