"""Two ranks with half the batch each are one rank with the whole: loss, gradient, and all that a framework keeps."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from raysl.config.component import find, names
from raysl.models.batch_norm import convert_batch_norm
from raysl.models.batch_norm_groups import Grouping
from raysl.objectives.objective import Objective
from raysl.testing.ranks import run_ranks
from tests.objectives.batches import context, small_options
from tests.objectives.rank_steps import BATCH, STEPS, assert_ranks_equal_one, train

CASES: list[tuple[str, dict[str, Any], int | str]] = [
    *((name, {}, "batch") for name in names("framework")),
    ("moco", {"symmetric": "mean", "momentum": 0.5}, "batch"),
    ("moco", {"shuffle": True, "momentum": 0.5, "momentum_schedule": "cosine"}, 2),
    ("byol", {"symmetric": "one_way", "momentum": 0.5}, 4),
    ("byol", {"symmetric": "one_way", "loss": "cosine", "reduction": "sum"}, 4),
    ("simclr", {"symmetric": "one_way", "positive_in_denominator": False, "reduction": "sum"}, "batch"),
    ("instdisc", {"loss": "nce", "temperature": 0.5}, "batch"),
]
IDS = [f"{name}-{group}-{'-'.join(str(value) for value in options.values())}" for name, options, group in CASES]


def objective(case: int) -> Objective:
    name, options, group = CASES[case]
    torch.manual_seed(0)
    given = context(batch_size=BATCH, videos=range(BATCH * STEPS), total_steps=STEPS)
    term = find("framework", name).build(small_options(name, **options), given)
    built = Objective(given.backbone, {"contrastive": (term, 0.7)}).double()
    return convert_batch_norm(built, Grouping(BATCH, group))


def on_rank(rank: int, size: int) -> list[list[dict[str, Any]]]:
    return [train(objective(case), rank, size) for case in range(len(CASES))]


@pytest.fixture(scope="module")
def two_ranks() -> list[list[list[dict[str, Any]]]]:
    return run_ranks(on_rank, 2, 2)


@pytest.mark.slow
@pytest.mark.parametrize("case", range(len(CASES)), ids=IDS)
def test_two_ranks_equal_one(two_ranks: list[list[list[dict[str, Any]]]], case: int) -> None:
    assert_ranks_equal_one([results[case] for results in two_ranks], train(objective(case), 0, 1))
