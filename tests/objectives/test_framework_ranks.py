"""Two ranks with half the batch each are one rank with the whole: loss, gradient, and all that a framework keeps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from raysl.config.component import find, names
from raysl.models.batch_norm import average_statistics, convert_batch_norm
from raysl.models.batch_norm_groups import Grouping
from raysl.objectives.objective import Objective
from tests.objectives.batches import context, part_of, random_batch, renumbered, small_options
from tests.ranks import run_ranks

BATCH = 8
STEPS = 3
CASES: list[tuple[str, dict[str, Any], int | str]] = [
    *((name, {}, "batch") for name in names("framework")),
    ("moco", {"symmetric": "mean", "momentum": 0.5}, "batch"),
    ("moco", {"shuffle": True, "momentum": 0.5, "momentum_schedule": "cosine"}, 2),
    ("byol", {"symmetric": "one_way", "momentum": 0.5}, 4),
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


def train(case: int, rank: int, size: int) -> list[dict[str, Any]]:
    """Loss, metrics and gradients of each step, and the state after it."""
    inner = objective(case)
    wrapped = DistributedDataParallel(inner, forward_sync_buffers=False) if size > 1 else inner
    share = slice(rank * BATCH // size, (rank + 1) * BATCH // size)
    results = []
    for step in range(STEPS):
        batch = renumbered(random_batch(BATCH, torch.float64, seed=step), BATCH * step)
        inner.begin_step(step)
        inner.zero_grad()
        output = wrapped(part_of(batch, share))
        output.loss.backward()
        gradients = {name: p.grad.clone() for name, p in inner.named_parameters() if p.grad is not None}
        with torch.no_grad():
            for parameter in inner.parameters():
                if parameter.grad is not None:
                    parameter -= 0.1 * parameter.grad
        inner.end_step()
        average_statistics(inner)
        state = {name: value.clone() for name, value in inner.state_dict().items()}
        given = {"terms": output.terms, "metrics": output.metrics, "gradients": gradients, "state": state}
        results.append({"loss": output.loss.detach(), **given})
    return results


def on_rank(rank: int, size: int) -> list[list[dict[str, Any]]]:
    return [train(case, rank, size) for case in range(len(CASES))]


@pytest.fixture(scope="module")
def two_ranks() -> list[list[list[dict[str, Any]]]]:
    return run_ranks(on_rank, 2, 2)


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("case", range(len(CASES)), ids=IDS)
def test_two_ranks_equal_one(two_ranks: list[list[list[dict[str, Any]]]], case: int) -> None:
    alone = train(case, 0, 1)
    for step, expected in enumerate(alone):
        ranks = [results[case][step] for results in two_ranks]
        close(torch.stack([result["loss"] for result in ranks]).mean(), expected["loss"])
        for part in ("terms", "metrics", "gradients", "state"):
            for result in ranks:
                assert result[part].keys() == expected[part].keys()
                for name, value in expected[part].items():
                    close(result[part][name], value)
        for name, value in ranks[0]["state"].items():
            assert torch.equal(value, ranks[1]["state"][name]), f"{name} differs between ranks"
