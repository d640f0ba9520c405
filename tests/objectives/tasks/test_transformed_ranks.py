"""Tasks beside every framework that contrasts them: two ranks are one, and chunks are the whole batch."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from raysl.config.cell import CellConfig
from raysl.config.component import find
from raysl.distributed import rank, world_size
from raysl.models.batch_norm import convert_batch_norm
from raysl.models.batch_norm_groups import Grouping
from raysl.objectives.objective import Objective
from raysl.objectives.term import Term
from raysl.testing.ranks import run_ranks
from raysl.views.batch import Batch
from tests.objectives.batches import context, part_of, random_batch, small, small_options
from tests.objectives.rank_steps import BATCH, STEPS, assert_ranks_equal_one, noise, train
from tests.objectives.task_batches import CONTRASTING, TASKS, with_task_views
from tests.training.steps import assert_same_training, cell_of, taken

CASES: list[tuple[str, dict[str, Any], int | str]] = [
    *((name, {}, "batch") for name in CONTRASTING),
    ("moco", {"anchor": "original", "momentum": 0.5}, "batch"),
    ("moco", {"anchor": "original", "shuffle": True, "symmetric": "mean"}, 2),
    ("instdisc", {"loss": "nce", "temperature": 0.5, "original_weight": 0.0}, "batch"),
]
IDS = [f"{name}-{'-'.join(str(value) for value in options.values())}" for name, options, _ in CASES]


def objective(case: int) -> Objective:
    """A framework with the views of two tasks, one of which is a term too."""
    name, options, group = CASES[case]
    torch.manual_seed(0)
    given = context(batch_size=BATCH, videos=range(BATCH * STEPS), total_steps=STEPS, transformed=TASKS)
    terms: dict[str, tuple[Term, float]] = {
        "contrastive": (find("framework", name).build(small_options(name, **options), given), 0.7)
    }
    rotation = find("pretext task", "rotation")
    terms["rotation"] = (rotation.build(rotation.options(), given), 0.3)
    built = Objective(given.backbone, terms).double()
    return convert_batch_norm(built, Grouping(BATCH, group))


def with_tasks(step: int) -> Batch:
    return with_task_views(noise(step), step)


def on_rank(rank: int, size: int) -> list[list[dict[str, Any]]]:
    return [train(objective(case), rank, size, with_tasks) for case in range(len(CASES))]


@pytest.fixture(scope="module")
def two_ranks() -> list[list[list[dict[str, Any]]]]:
    return run_ranks(on_rank, 2, 2)


@pytest.mark.slow
@pytest.mark.parametrize("case", range(len(CASES)), ids=IDS)
def test_two_ranks_equal_one(two_ranks: list[list[list[dict[str, Any]]]], case: int) -> None:
    alone = train(objective(case), 0, 1, with_tasks)
    assert_ranks_equal_one([results[case] for results in two_ranks], alone)
    assert any("projections" in name and gradient.any() for name, gradient in alone[0]["gradients"].items()) == (
        CASES[case][1].get("anchor") != "original"
    )


def task_batches(cell: CellConfig, step: int) -> list[Batch]:
    share = cell.training.batch_size // world_size()
    whole = random_batch(cell.training.batch_size, torch.float64, step, cell.clip.frames)
    return [part_of(with_task_views(whole, step), slice(rank() * share, (rank() + 1) * share))]


@pytest.mark.parametrize(
    ("name", "options"),
    [*((name, {}) for name in CONTRASTING), ("moco", {"anchor": "original"})],
    ids=[*CONTRASTING, "moco, anchor original"],
)
def test_chunks_train_as_the_whole_batch(name: str, options: dict[str, Any]) -> None:
    changes = {
        "objective.contrastive": small(name, **options),
        "objective.pretext": {"rotation": {}, "shuffle": {"hidden_dim": 8}},
        "objective.pretext_weight": 2.0,
    }
    whole, chunks = (taken(cell_of(name, batch=8, changes=changes, chunk=chunk), task_batches) for chunk in (None, 4))
    assert_same_training(chunks, whole)
    assert any("projections" in key for key in whole["state"])
