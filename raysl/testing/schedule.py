"""What every schedule keeps: factors in (0, 1], the warm-up, and a state that goes through a checkpoint."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from raysl.errors import ConfigError
from raysl.testing.cells import tiny_cell
from raysl.testing.component import TrainedContract
from raysl.training.schedule import Schedule


class ScheduleContract(TrainedContract):
    """Of a schedule: ``COMPONENT = Component(kind="schedule", ...)``, whose options extend those of the warm-up.

    ``options`` should leave the rate as it is in the first hundred steps of a training.
    """

    kind: ClassVar[str] = "schedule"
    place: ClassVar[str] = "schedule"

    def build(self, total_steps: int = 100, steps_per_epoch: int = 10, **options: Any) -> Schedule:
        chosen = self.resolved(**options)
        schedule = self.found.build(chosen, total_steps=total_steps, steps_per_epoch=steps_per_epoch)
        assert isinstance(schedule, Schedule)
        return schedule

    def test_factors_are_between_0_and_1_and_never_0(self) -> None:
        schedule = self.build(warmup_epochs=2.0)
        for step in range(100):
            assert 0 < schedule(step) <= 1
            schedule.observe(step, 1.0)

    def test_warmup_rises_linearly_to_the_full_rate(self) -> None:
        for schedule in (self.build(warmup_epochs=0.5), self.build(warmup_steps=5)):
            assert [schedule(step) for step in range(6)] == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1])

    def test_without_warmup_it_starts_at_the_full_rate(self) -> None:
        assert self.build()(0) == 1
        assert self.build(total_steps=1)(0) == 1

    def test_a_warmup_that_leaves_no_step_is_refused(self) -> None:
        with pytest.raises(ConfigError, match=r"schedule\.warmup_epochs 10 is 100 steps, but training has 100"):
            self.build(warmup_epochs=10.0)
        with pytest.raises(ConfigError, match=r"schedule\.warmup_steps 100 is 100 steps, but training has 100"):
            self.build(warmup_steps=100)
        assert self.build(warmup_epochs=9.9)(99) == 1
        assert self.build(warmup_steps=99)(99) == 1

    def test_such_a_warmup_is_refused_without_data(self) -> None:
        chosen = {"name": self.component, **self.options}
        in_epochs = {"training.steps": None, "training.epochs": 2}
        with pytest.raises(ConfigError, match=r"warmup_steps 6 is not shorter than training\.steps 6"):
            tiny_cell({**self.base, "schedule": chosen | {"warmup_steps": 6}})
        with pytest.raises(ConfigError, match=r"warmup_epochs 2 is not shorter than training\.epochs 2"):
            tiny_cell({**self.base, **in_epochs, "schedule": chosen | {"warmup_epochs": 2}})
        assert tiny_cell({**self.base, "schedule": chosen | {"warmup_steps": 5}})

    @pytest.mark.parametrize("step", [-1, 100])
    def test_a_step_outside_of_training_is_refused(self, step: int) -> None:
        with pytest.raises(ValueError, match=r"outside of 0\.\.99"):
            self.build()(step)

    def test_a_bad_warmup_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="warmup_epochs"):
            self.build(warmup_epochs=-1.0)
        with pytest.raises(ConfigError, match=r"at most one of schedule\.warmup_epochs and schedule\.warmup_steps"):
            self.build(warmup_epochs=1.0, warmup_steps=10)

    def test_state_goes_through_a_checkpoint(self) -> None:
        losses = [3.0, 2.0, 2.0, 2.5, 1.9, 1.9, 1.9, 1.9, 1.9, 1.9]
        whole, first, second = (self.build(steps_per_epoch=4, total_steps=40) for _ in range(3))
        for step in range(40):
            if step == 18:
                second.load_state_dict(first.state_dict())
            other = first if step < 18 else second
            assert other(step) == whole(step)
            for schedule in (whole, other):
                schedule.observe(step, losses[step // 4] + 0.01 * (step % 4))
        assert second.state_dict() == whole.state_dict()
