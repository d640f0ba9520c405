"""Cells that start from others begin as soon as those are done, and never where these are not."""

from __future__ import annotations

from pathlib import Path

import pytest

import raysl.results as results
from raysl.data.places import Places
from raysl.results import Store
from raysl.work.here import Here
from raysl.work.order import Order, in_order
from raysl.work.run_cells import RunOutcome, run_cells
from raysl.work.site import Site
from tests.work.followers import FINETUNE, waiting_for_a_follower
from tests.work.plans import plan, site_here

pytestmark = pytest.mark.slow
NAN = "{objective.contrastive: {framework: tests.training.failing_simclr, temperature: 0.1, step: 1}}"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return results.open(tmp_path / "store")


def test_one_seed_with_all_that_follows_comes_before_the_next(tmp_path: Path, store: Store, places: Places) -> None:
    cells = plan(tmp_path, {"one": "{}", "two": "{training.steps: 1}"}, "finetune/synthetic", "[1, 0]", FINETUNE)
    site = site_here(cells, store, places)
    found = {cell.key: site.shelf.find(cell) for cell in reversed(cells)}
    tasks, starts = in_order(list(found.values()), found)
    assert [(task.cell.row, task.cell.seed, task.cell.part) for task in tasks] == [
        (row, seed, part) for seed in (0, 1) for part in ("", "finetune/synthetic") for row in ("two", "one")
    ]
    assert len(starts) == 4
    order = Order(tasks, starts, site)
    followers = [task.cell.key for task in tasks if task.cell.part]
    assert [order.may_begin(task.cell.key) for task in tasks] == [True, True, False, False] * 2
    order.end(starts[followers[0]])  # without a result
    assert [order.may_begin(key) for key in followers] == [None, False, False, False]


def test_what_nobody_computes_leads_to_nothing(tmp_path: Path, store: Store, places: Places) -> None:
    cells = plan(tmp_path, {"one": "{}", "two": "{training.steps: 1}"}, "finetune/synthetic", extra=FINETUNE)
    site: Site = site_here(cells, store, places)
    found = {cell.key: site.shelf.find(cell) for cell in cells}
    without_one = [task for task in found.values() if task.cell.row != "one" or task.cell.part]
    tasks, _ = in_order(without_one, found)
    assert [(task.cell.row, task.cell.part) for task in tasks] == [("two", ""), ("two", "finetune/synthetic")]


@pytest.mark.parametrize("processes", [1, 2])
def test_a_follower_of_a_failed_cell_is_left_and_the_others_go_on(
    tmp_path: Path, store: Store, places: Places, processes: int
) -> None:
    cells = plan(
        tmp_path, {"nan": NAN, "one": "{training.steps: 1}"}, "finetune/synthetic, retrieval/synthetic", extra=FINETUNE
    )
    outcome: RunOutcome = run_cells(cells, store, places, Here(places, processes))
    assert outcome.done == ("tiny/one/seed0", "tiny/one/seed0/finetune/synthetic")
    assert list(outcome.failed) == ["tiny/nan/seed0"]
    assert "it starts from tiny/nan/seed0" in outcome.missing["tiny/nan/seed0/finetune/synthetic"]
    assert "tiny/nan/seed0/finetune/synthetic" not in outcome.computed


def test_a_process_beside_need_not_wait_for_the_last_pretraining(tmp_path: Path, store: Store, places: Places) -> None:
    """The long row ends once the other's fine-tuning is done: in rounds it would wait for ever."""
    cells = waiting_for_a_follower(tmp_path, store, places)
    outcome = run_cells(cells, store, places, Here(places, 2))
    assert (outcome.failed, outcome.missing) == ({}, {})
    assert len(outcome.done) == 4
