"""The contract of every schedule, found by name, and the values of each at the first, middle and last step."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from raysl.config.component import find, names
from raysl.errors import ConfigError
from raysl.testing import ScheduleContract
from raysl.training.schedule import Schedule
from tests.training.material import tiny_cell

REQUIRED: dict[str, dict[str, Any]] = {"multistep": {"milestones": (1e6,)}}
"""Options without a default."""


def build(name: str, total_steps: int = 100, steps_per_epoch: int = 10, **options: Any) -> Schedule:
    component = find("schedule", name)
    given = REQUIRED.get(name, {}) | options
    schedule: Schedule = component.build(
        component.options(**given), total_steps=total_steps, steps_per_epoch=steps_per_epoch
    )
    return schedule


class TestSchedules(ScheduleContract):
    @pytest.fixture(autouse=True, params=names("schedule"))
    def one(self, request: pytest.FixtureRequest) -> None:
        self.component = request.param
        self.options = {key: list(value) for key, value in REQUIRED.get(self.component, {}).items()}


def test_cosine_at_first_middle_and_last_step() -> None:
    schedule = build("cosine", warmup_epochs=2.0)
    assert schedule(0) == pytest.approx(1 / 21)
    assert schedule(20) == 1
    assert schedule(60) == pytest.approx(0.5)
    assert schedule(99) == pytest.approx((1 + math.cos(math.pi * 79 / 80)) / 2)


def test_cosine_falls_to_its_final_factor() -> None:
    schedule = build("cosine", total_steps=10_000, final_factor=0.1)
    assert schedule(5_000) == pytest.approx(0.55)
    assert schedule(9_999) == pytest.approx(0.1, abs=1e-6)
    assert all(schedule(step) > schedule(step + 1) for step in range(9_999))


def test_constant_at_first_middle_and_last_step() -> None:
    schedule = build("constant", warmup_epochs=1.0)
    assert [schedule(step) for step in (0, 10, 50, 99)] == pytest.approx([1 / 11, 1, 1, 1])


def test_multistep_falls_after_each_milestone() -> None:
    schedule = build("multistep", milestones=(2.0, 5.5, 8.0), warmup_epochs=1.0)
    steps = {0: 1 / 11, 10: 1, 19: 1, 20: 0.1, 54: 0.1, 55: 0.01, 79: 0.01, 80: 0.001, 99: 0.001}
    assert [schedule(step) for step in steps] == pytest.approx(list(steps.values()))
    assert build("multistep", milestones=(5.0,), factor=0.15)(50) == 0.15


@pytest.mark.parametrize(
    "bad", [{"milestones": ()}, {"milestones": (5.0, 5.0)}, {"milestones": (0.0,)}, {"factor": 1.0}]
)
def test_multistep_refuses_bad_options(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(bad))):
        build("multistep", **bad)


def test_milestones_none_of_which_is_reached_are_refused() -> None:
    length = {"training.steps": None, "training.epochs": 4}
    with pytest.raises(ConfigError, match="training of 4 epochs never passes the first one, 4"):
        tiny_cell(schedule={"name": "multistep", "milestones": [4, 6]}, **length)
    assert tiny_cell(schedule={"name": "multistep", "milestones": [2, 4]}, **length)


def rates(schedule: Schedule, losses: list[float], steps_per_epoch: int) -> list[float]:
    """The factor of each epoch's first step, each epoch's steps having its loss on average."""
    found = []
    for epoch, loss in enumerate(losses):
        for inside in range(steps_per_epoch):
            step = epoch * steps_per_epoch + inside
            if inside == 0:
                found.append(schedule(step))
            schedule.observe(step, loss + (inside - (steps_per_epoch - 1) / 2) * 0.125)
    return found


@pytest.mark.parametrize("patience", [0, 1, 3])
def test_plateau_is_that_of_torch(patience: int) -> None:
    losses = [4.0, 3.0, 3.0, 3.0, 2.9999, 2.5, 2.75, 2.6, 2.5, 2.5, 2.25, 2.5, 2.5, 2.5, 2.5, 2.5]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    oracle = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=patience, threshold=1e-4, eps=0)
    expected = []
    for loss in losses:
        expected.append(optimizer.param_groups[0]["lr"])
        oracle.step(loss)
    schedule = build("plateau", total_steps=64, steps_per_epoch=4, factor=0.5, patience=patience)
    assert rates(schedule, losses, 4) == expected
    assert expected[-1] < 1


def test_plateau_counts_from_the_first_epoch_behind_the_warmup() -> None:
    schedule = build("plateau", total_steps=24, steps_per_epoch=4, patience=0, warmup_steps=5)
    # Epochs 0 and 1 begin within the warm-up: their low losses are no best that later ones must beat.
    assert rates(schedule, [1.0, 1.0, 5.0, 4.0, 4.0, 4.0], 4) == pytest.approx([1 / 6, 5 / 6, 1, 1, 1, 0.1])


def test_plateau_of_a_negative_loss() -> None:
    schedule = build("plateau", total_steps=6, steps_per_epoch=1, patience=0)
    assert rates(schedule, [-0.5, -0.6, -0.7, -0.7, -0.7], 1) == pytest.approx([1, 1, 1, 1, 0.1])
