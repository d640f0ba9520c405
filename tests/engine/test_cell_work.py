"""One cell in this process, without Ray: what is stored, and that nothing is computed twice."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from raysl import results
from raysl.commands.run import check_roots
from raysl.data.places import Places
from raysl.engine.cell_work import evaluate_cell, pretrain_cell
from raysl.engine.pending import job, look, reopen
from raysl.errors import ConfigError
from tests.engine.plans import plan, prepared_here
from tests.models.narrow_weights import NARROW, save_narrow_weights

pytestmark = pytest.mark.slow


def test_a_cell_is_computed_once_and_a_failed_evaluation_leaves_the_others(tmp_path: Path, places: Places) -> None:
    store = results.open(tmp_path / "store")
    evaluations = "retrieval/synthetic, tests.engine.failing_protocol/synthetic, linear/synthetic"
    (item,) = plan(tmp_path, {"plain": "{training.steps: 2}"}, evaluations)
    prepared = prepared_here([item], store, places)
    found = look(item, store, prepared)
    assert (found.verdict, found.state and found.state.status) == ("missing", "missing")

    first = pickle.loads(pickle.dumps(job(found, store, places, prepared)))
    steps = []
    assert pretrain_cell(first, lambda progress: steps.append(progress.step)) is None
    assert steps == [2]
    assert "this protocol always fails" in (evaluate_cell(first) or "")

    found = look(item, store, prepared)
    assert found.verdict == "failed"
    assert "this protocol always fails" in found.reason
    records = {record["label"]: record for record in first.folder.evaluations().values()}
    assert {label: record["status"] for label, record in records.items()} == {
        "retrieval/synthetic": "done",
        "tests.engine.failing_protocol/synthetic": "failed",
        "linear/synthetic": "done",
    }
    assert len(first.folder.predictions(first.evaluations[0].name)) == 8  # type: ignore[arg-type]

    assert pretrain_cell(first) is None
    assert len(first.folder.attempts()) == 1
    reopen(found)
    assert look(item, store, prepared).open == (first.evaluations[1].name,)


def test_a_deterministic_failure_is_the_cells_result(tmp_path: Path, places: Places) -> None:
    store = results.open(tmp_path / "store")
    (item,) = plan(tmp_path, {"too large": "{training.batch_size: 512}"})
    prepared = prepared_here([item], store, places)
    one = job(look(item, store, prepared), store, places, prepared)
    reason = pretrain_cell(one)
    assert reason is not None
    assert "512" in reason
    found = look(item, store, prepared)
    assert (found.verdict, found.reason) == ("failed", reason)
    reopen(found)
    assert look(item, store, prepared).verdict == "missing"


def test_rows_that_ask_one_label_with_different_options_get_both(tmp_path: Path, places: Places) -> None:
    store = results.open(tmp_path / "store")
    rows = {"a": "{pretraining: none}", "b": "{pretraining: none, evaluation.retrieval.clips: 1}"}
    (item,) = plan(tmp_path, rows)
    assert len(item.evaluations) == 2
    prepared = prepared_here([item], store, places)
    one = job(look(item, store, prepared), store, places, prepared)
    assert pretrain_cell(one) is None
    assert evaluate_cell(one) is None
    assert {record["label"] for record in one.folder.evaluations().values()} == {"retrieval/synthetic"}
    assert look(item, store, prepared).verdict == "done"


def test_weights_to_inflate_are_found_among_the_roots_and_refused_before_ray_starts(
    tmp_path: Path, places: Places
) -> None:
    store = results.open(tmp_path / "store")
    (item,) = plan(tmp_path, {"inflated": json.dumps({"pretraining": "none", "backbone": NARROW})})
    prepared = prepared_here([item], store, places)
    with pytest.raises(ConfigError, match="--root narrow=FILE"):
        check_roots([item], store, places)
    bound = replace(places, roots={**places.roots, "narrow": save_narrow_weights(tmp_path)})
    check_roots([item], store, bound)
    one = job(look(item, store, prepared), store, bound, prepared)
    assert pretrain_cell(one) is None
    assert evaluate_cell(one) is None
    check_roots([item], store, places)  # the cell is done: nobody needs the file any more
