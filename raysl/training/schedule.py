"""The base of learning-rate schedules: the factor of the base rate at each step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class Schedule(ABC):
    """Base of every schedule: ``COMPONENT.build(options, total_steps=..., steps_per_epoch=...) -> Schedule``.

    Training calls it before each step and `observe` after it, in order. The state that `observe` leaves is in the
    checkpoint, so a resumed training continues with the same rates.
    """

    @abstractmethod
    def __call__(self, step: int) -> float:
        """The factor at a step, from 0 to ``total_steps - 1``; the base rate itself is 1.

        Raises:
            ValueError: training has no such step.
        """

    def observe(self, step: int, loss: float) -> None:  # noqa: B027  (most schedules follow the step alone)
        """Receives the step's loss, the mean over the global batch: the same on every rank."""

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers, for the checkpoint."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:  # noqa: B027  (most schedules have no state)
        """Loads what `state_dict` returned."""
