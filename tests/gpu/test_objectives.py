"""Every loss, with its gradient, its metrics and what it keeps, is the CPU's, in float64 over three steps."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from raysl.config.component import names
from raysl.models.batch_norm import convert_batch_norm
from raysl.models.batch_norm_groups import Grouping
from raysl.objectives.objective import Objective
from raysl.views.batch import Batch
from tests.objectives.frameworks import test_framework_ranks
from tests.objectives.rank_steps import BATCH, noise, train
from tests.objectives.tasks import test_transformed_ranks
from tests.objectives.tasks.test_transformed_ranks import with_tasks
from tests.objectives.temporal import test_temporal_ranks

Case = tuple[Callable[[], Objective], Callable[[int], Batch]]

CASES: dict[str, Case] = {
    **{
        name: (partial(test_framework_ranks.objective, case), noise)
        for case, name in enumerate(test_framework_ranks.IDS)
    },
    **{
        f"{'-'.join(case)}": (partial(test_temporal_ranks.objective, *case), noise)
        for case in test_temporal_ranks.CASES
    },
    **{
        f"with tasks, {name}": (partial(test_transformed_ranks.objective, case), with_tasks)
        for case, name in enumerate(test_transformed_ranks.IDS)
    },
}


def close(found: Any, expected: Any) -> None:
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("case", CASES)
def test_steps_are_those_of_the_cpu(case: str, device: torch.device) -> None:
    build, batches = CASES[case]
    alone = train(build(), 0, 1, batches)
    found = train(build().to(device), 0, 1, batches, device)
    for step, expected in enumerate(alone):
        close(found[step]["loss"], expected["loss"])
        for part in ("terms", "metrics", "gradients", "state"):
            assert found[step][part].keys() == expected[part].keys()
            for name, value in expected[part].items():
                close(found[step][part][name], value)


def test_every_framework_is_among_them() -> None:
    assert {name for name, _, _ in test_framework_ranks.CASES} == set(names("framework"))


@pytest.mark.parametrize("group", [2, 4, "batch"])
@pytest.mark.parametrize("per_view", [False, True])
def test_batch_norm_over_groups_is_the_cpus(group: int | str, per_view: bool, device: torch.device) -> None:
    """The module alone, in float32: rows of two views of eight videos, ``channels_last_3d`` as in training."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(2 * BATCH, 6, 4, 8, 8, generator=generator)
    outward = torch.randn(rows.shape, generator=generator)

    def passed(where: torch.device) -> list[torch.Tensor]:
        norm = torch.nn.BatchNorm3d(6).to(where)
        module = convert_batch_norm(norm, Grouping(BATCH, group, per_view=per_view))
        inward = rows.to(where, memory_format=torch.channels_last_3d).detach().requires_grad_()
        result = module(inward)
        result.backward(outward.to(where))
        assert inward.grad is not None
        assert module.weight.grad is not None
        assert module.running_mean is not None
        assert module.running_var is not None
        return [result, inward.grad, module.weight.grad, module.running_mean, module.running_var]

    for found, expected in zip(passed(device), passed(torch.device("cpu")), strict=True):
        torch.testing.assert_close(found.cpu(), expected, rtol=1e-4, atol=1e-5)
