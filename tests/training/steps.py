"""A few steps of a `Learner` on random clips, in float64, on any number of ranks."""

from __future__ import annotations

from typing import Any

from raysl.config.cell import CellConfig
from raysl.testing import steps
from raysl.testing.steps import STEPS, VIDEOS, assert_same_training, batches_of, learner_of, taken
from tests.objectives.batches import small

__all__ = ["STEPS", "VIDEOS", "assert_same_training", "batches_of", "cell_of", "learner_of", "taken"]


def cell_of(
    framework: str = "simclr", *, batch: int = VIDEOS, changes: dict[str, Any] | None = None, **training: Any
) -> CellConfig:
    """Of a small framework, in groups of four videos, by plain gradient descent; ``changes`` has dotted keys."""
    return steps.cell_of({"objective.contrastive": small(framework), **(changes or {})}, batch=batch, **training)
