"""Steps of an objective on random batches, on any number of ranks, and that two ranks agree with one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from raysl.models.batch_norm import average_statistics
from raysl.objectives.objective import Objective
from raysl.views.batch import Batch
from tests.objectives.batches import part_of, random_batch, renumbered

BATCH = 8
STEPS = 3
CPU = torch.device("cpu")


def noise(step: int) -> Batch:
    """The global batch of a step."""
    return random_batch(BATCH, torch.float64, seed=step)


def train(
    inner: Objective, rank: int, size: int, batch_of: Callable[[int], Batch] = noise, device: torch.device = CPU
) -> list[dict[str, Any]]:
    """Loss, metrics and gradients of each step of a float64 objective on ``device``, and the state after it."""
    wrapped = DistributedDataParallel(inner) if size > 1 else inner
    wrapped.broadcast_buffers = False
    share = slice(rank * BATCH // size, (rank + 1) * BATCH // size)
    results = []
    for step in range(STEPS):
        batch = part_of(renumbered(batch_of(step), BATCH * step), share).to(device)
        inner.begin_step(step)
        inner.zero_grad()
        output = wrapped(batch)
        output.loss.backward()
        gradients = {name: p.grad.clone() for name, p in inner.named_parameters() if p.grad is not None}
        with torch.no_grad():
            for parameter in inner.parameters():
                if parameter.grad is not None:
                    parameter.sub_(0.1 * parameter.grad)
        inner.end_step()
        average_statistics(inner)
        state = {name: value.clone() for name, value in inner.state_dict().items()}
        given = {"terms": output.terms, "metrics": output.metrics, "gradients": gradients, "state": state}
        results.append({"loss": output.loss.detach(), **given})
    return results


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-9)


def assert_ranks_equal_one(ranks: list[list[dict[str, Any]]], alone: list[dict[str, Any]]) -> None:
    for step, expected in enumerate(alone):
        results = [steps[step] for steps in ranks]
        close(torch.stack([result["loss"] for result in results]).mean(), expected["loss"])
        for part in ("terms", "metrics", "gradients", "state"):
            for result in results:
                assert result[part].keys() == expected[part].keys()
                for name, value in expected[part].items():
                    close(result[part][name], value)
        for name, value in results[0]["state"].items():
            assert torch.equal(value, results[1]["state"][name]), f"{name} differs between ranks"
