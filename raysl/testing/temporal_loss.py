"""What every loss over clips in time keeps: it learns, is computed in chunks, and asks for no view too many."""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from raysl.config.cell import CellConfig
from raysl.config.component import Chosen
from raysl.objectives.build import build_objective
from raysl.objectives.objective import Objective
from raysl.testing.batches import PROJECTOR, WINDOWS, random_batch
from raysl.testing.cells import TINY_BACKBONE, tiny_cell
from raysl.testing.component import WINDOWED
from raysl.testing.term import TermContract, Training
from raysl.views.batch import Batch

BATCH, FRAMES, STEPS = 8, 8, 30
LEARNING: dict[str, Any] = {
    **WINDOWS,
    "clip": {"frames": FRAMES, "size": 16},
    "backbone": {"name": TINY_BACKBONE, "last_stage_time": "kept"},
    "objective.contrastive": None,
    "objective.projector": PROJECTOR,
    "objective.memory": {"cells": 2},
    "optimizer": {"name": "adamw", "learning_rate": {"value": 3e-3, "at_batch": BATCH}},
    "schedule": "constant",
    "training.steps": STEPS,
}
"""Of `tiny_cell`: windows of two local clips, a projector that terms share, a temporal memory bank."""


class TemporalLossContract(TermContract):
    """Of a loss over the clips of a window, or over the temporal memory bank.

    Those that come with raysl have keys of their own in the objective. A loss of another package is a framework over
    windows: ``kind = "framework"``, with ``projector: shared`` among its options, or a projector of its own.
    """

    kind: ClassVar[str] = "temporal loss"
    base = WINDOWED

    def only(self, options: Any) -> dict[str, Any]:
        """The changes of a cell that make it the only term."""
        if self.kind == "framework":
            return {"objective.contrastive": {"framework": self.component, **options}}
        return {f"objective.{self.component}": dict(options)}

    def host(self, options: Any) -> dict[str, Any]:
        return {**self.base, **self.only(options), **self.changes}

    def chosen_in(self, cell: CellConfig) -> Chosen:
        name = "contrastive" if self.kind == "framework" else self.component
        found = getattr(cell.objective, name)
        assert isinstance(found, Chosen)
        return found

    def training(self) -> Training:
        return Training(self.learning(), size=BATCH)

    def learning(self) -> dict[str, Any]:
        return {**LEARNING, **self.only(self.options), **self.changes}

    def batch_at(self, objective: Objective, step: int) -> Batch:
        return random_batch(BATCH, frames=FRAMES)

    def test_the_loss_falls_on_a_fixed_batch(self) -> None:
        training = self.learner()
        batch = self.batch_at(training.objective, 0)
        losses = torch.tensor([training.step([batch], step).loss for step in range(STEPS)])
        assert losses.isfinite().all()
        assert losses[-5:].mean() < 0.9 * losses[:5].mean()

    def test_gradient_reaches_all_of_the_backbone_and_of_the_projector(self) -> None:
        objective = self.objective()
        objective.begin_step(0)
        objective(self.batch_at(objective, 0)).loss.backward()
        # A bias before batch norm is cancelled by it.
        cancelled = "projector.layers.0.bias"
        parameters = {name: p for name, p in objective.named_parameters() if not name.endswith(cancelled)}
        assert any("projector" in name for name in parameters)
        for name, parameter in parameters.items():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 1e-12, name

    def test_asks_for_views_that_a_cell_makes_and_for_no_more(self) -> None:
        objective = self.objective()
        given = self.batch_at(objective, 0)
        assert set(objective.view_names) <= set(given.views)
        needed = Batch(views={name: given.views[name] for name in objective.view_names})
        objective.begin_step(0)
        assert torch.equal(objective(needed).loss, objective(given).loss)

    def objective(self) -> Objective:
        return build_objective(tiny_cell(self.learning()), range(BATCH), STEPS)
