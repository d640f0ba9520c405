"""Two ranks with half the batch each are one rank with the whole: the losses over windows, one by one and together."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from raysl.config.component import find
from raysl.config.objective_sections import ProjectorOptions
from raysl.models.batch_norm import convert_batch_norm
from raysl.models.batch_norm_groups import Grouping
from raysl.models.projector import Projector
from raysl.objectives.objective import Objective
from raysl.objectives.term import Term
from raysl.testing.ranks import run_ranks
from tests.objectives.batches import PROJECTOR, context
from tests.objectives.rank_steps import BATCH, STEPS, assert_ranks_equal_one, train

TERMS: dict[str, dict[str, dict[str, Any]]] = {
    "local_local": {"temporal loss/local_local": {}},
    "local_local released": {"temporal loss/local_local": {"variant": "released"}},
    "global_local": {"temporal loss/global_local": {}},
    "global_local released": {"temporal loss/global_local": {"variant": "released"}},
    "tclr_released": {"framework/tclr_released": {}},
    "together": {"framework/tclr_released": {}, "temporal loss/local_local": {}, "temporal loss/global_local": {}},
}
GROUPINGS: dict[str, tuple[int | str, bool]] = {
    "whole batch": ("batch", False),
    "whole batch per view": ("batch", True),
    "two videos per view": (2, True),
}
CASES = [(terms, grouping) for terms in TERMS for grouping in GROUPINGS]


def objective(terms: str, grouping: str) -> Objective:
    """On one shared projector, with weights that differ."""
    torch.manual_seed(0)
    projector = Projector(6, ProjectorOptions.model_validate(PROJECTOR))
    given = context(batch_size=BATCH, total_steps=STEPS, shared_projector=projector)
    built: dict[str, tuple[Term, float]] = {}
    for weight, (place, options) in enumerate(TERMS[terms].items(), start=1):
        component = find(*place.split("/"))
        chosen = component.options.model_validate({"projector": "shared", "temperature": 0.5, **options})
        built[place.split("/")[1]] = (component.build(chosen, given), 0.1 * weight)
    group, per_view = GROUPINGS[grouping]
    whole = Objective(given.backbone, built).double()
    return convert_batch_norm(whole, Grouping(BATCH, group, per_view=per_view))


def on_rank(rank: int, size: int) -> list[list[dict[str, Any]]]:
    return [train(objective(*case), rank, size) for case in CASES]


@pytest.fixture(scope="module")
def two_ranks() -> list[list[list[dict[str, Any]]]]:
    return run_ranks(on_rank, 2, 2)


@pytest.mark.slow
@pytest.mark.parametrize("case", range(len(CASES)), ids=["-".join(case) for case in CASES])
def test_two_ranks_equal_one(two_ranks: list[list[list[dict[str, Any]]]], case: int) -> None:
    assert_ranks_equal_one([results[case] for results in two_ranks], train(objective(*CASES[case]), 0, 1))


def test_statistics_of_each_view_are_another_network() -> None:
    """The cases above differ: what is compared is not one and the same."""
    losses = [train(objective("together", grouping), 0, 1)[0]["loss"].item() for grouping in GROUPINGS]
    assert len(set(losses)) == len(GROUPINGS)
