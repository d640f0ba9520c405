"""A few steps of a `Learner` in float64, on any number of ranks, and that two trainings agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from raysl.config.cell import CellConfig
from raysl.distributed import rank, world_size
from raysl.objectives.build import build_objective
from raysl.objectives.objective import Objective
from raysl.testing.batches import WINDOWS, part_of, random_batch
from raysl.testing.cells import TINY_BACKBONE, tiny_cell
from raysl.training.learner import Learner
from raysl.views.batch import Batch

VIDEOS = 16
STEPS = 3
CPU = torch.device("cpu")


def cell_of(changes: Mapping[str, Any], *, batch: int = VIDEOS, **training: Any) -> CellConfig:
    """Groups of four videos, plain gradient descent; ``changes`` has dotted keys."""
    given = {
        **WINDOWS,
        "backbone": TINY_BACKBONE,
        "batch_norm_group": 4,
        "optimizer": {"name": "sgd", "learning_rate": {"value": 0.05, "at_batch": batch}},
        "training": {"steps": STEPS, "batch_size": batch, "workers": world_size(), **training},
    }
    return tiny_cell({**given, **changes})


def learner_of(cell: CellConfig, objective: Objective | None = None, device: torch.device = CPU) -> Learner:
    built = objective if objective is not None else build_objective(cell, range(VIDEOS), STEPS).double()
    return Learner(built, cell, total_steps=STEPS, steps_per_epoch=STEPS, device=device, precision="float32")


def learning(cell: CellConfig, videos: int = VIDEOS) -> Learner:
    """Of all steps of a cell, in float32, four an epoch."""
    steps = cell.training.steps
    assert steps is not None
    objective = build_objective(cell, range(videos), steps)
    return Learner(objective, cell, total_steps=steps, steps_per_epoch=4, device=CPU, precision="float32")


def batches_of(cell: CellConfig, step: int) -> list[Batch]:
    """This rank's part of the global batches of a step, of random clips."""
    share = cell.training.batch_size // world_size()
    rows = slice(rank() * share, (rank() + 1) * share)
    seeds = [step * cell.training.accumulate + index for index in range(cell.training.accumulate)]
    size, frames = cell.training.batch_size, cell.clip.frames
    return [part_of(random_batch(size, torch.float64, seed, frames), rows) for seed in seeds]


def taken(
    cell: CellConfig, batches: Callable[[CellConfig, int], list[Batch]] = batches_of, device: torch.device = CPU
) -> dict[str, Any]:
    """What all ranks agree on after three steps, gradients of the last one, and the classes of batch norms."""
    learner = learner_of(cell, device=device)
    values = [learner.step([batch.to(device) for batch in batches(cell, step)], step) for step in range(STEPS)]
    gradients = {name: p.grad for name, p in learner.objective.named_parameters() if p.grad is not None}
    classes = {type(m).__name__ for m in learner.objective.modules() if "BatchNorm" in type(m).__name__}
    return {
        "losses": {str(i): torch.tensor([v.loss, v.gradient_norm, *v.metrics.values()]) for i, v in enumerate(values)},
        "gradients": gradients,
        "state": {name: value.clone() for name, value in learner.state().items()},
        "classes": classes,
    }


def assert_same_training(found: dict[str, Any], expected: dict[str, Any], relative: float = 1e-7) -> None:
    for part in ("losses", "gradients", "state"):
        assert found[part].keys() == expected[part].keys()
        for name, value in expected[part].items():
            torch.testing.assert_close(found[part][name], value, rtol=relative, atol=1e-8, msg=f"{part}: {name}")
