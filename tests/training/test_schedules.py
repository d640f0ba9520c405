"""The contract of every schedule, found by name, and the values of each at the first, middle and last step."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from raysl.config.component import find, names
from raysl.errors import ConfigError
from raysl.training.warmup import Schedule


def build(name: str, total_steps: int = 100, steps_per_epoch: int = 10, **options: Any) -> Schedule:
    component = find("schedule", name)
    schedule: Schedule = component.build(
        component.options(**options), total_steps=total_steps, steps_per_epoch=steps_per_epoch
    )
    return schedule


@pytest.mark.parametrize("name", names("schedule"))
class TestContract:
    def test_factors_are_between_0_and_1_and_never_0(self, name: str) -> None:
        schedule = build(name, warmup_epochs=2.0)
        assert all(0 < schedule(step) <= 1 for step in range(100))

    def test_warmup_rises_linearly_to_the_full_rate(self, name: str) -> None:
        schedule = build(name, warmup_epochs=0.5)
        assert [schedule(step) for step in range(6)] == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1])

    def test_without_warmup_it_starts_at_the_full_rate(self, name: str) -> None:
        assert build(name)(0) == 1
        assert build(name, total_steps=1)(0) == 1

    def test_a_warmup_that_leaves_no_step_is_refused(self, name: str) -> None:
        with pytest.raises(ConfigError, match=r"schedule\.warmup_epochs 10 is 100 steps, but training has 100"):
            build(name, warmup_epochs=10.0)
        assert build(name, warmup_epochs=9.9)(99) == 1

    @pytest.mark.parametrize("step", [-1, 100])
    def test_a_step_outside_of_training_is_refused(self, name: str, step: int) -> None:
        with pytest.raises(ValueError, match=r"outside of 0\.\.99"):
            build(name)(step)

    def test_a_negative_warmup_is_refused(self, name: str) -> None:
        with pytest.raises(ValidationError, match="warmup_epochs"):
            build(name, warmup_epochs=-1.0)


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
