"""Batches with the own views of two tasks, one of one clip and one of three shorter clips, and their answers."""

from __future__ import annotations

from dataclasses import replace

import torch

from raysl.config.component import find, names
from raysl.objectives.term import TransformedViews
from raysl.views.batch import Batch
from tests.objectives.batches import noisy, view

TASKS = {
    "rotation": TransformedViews(("rotation",), hidden_dim=5),
    "shuffle": TransformedViews(("shuffle/0", "shuffle/1", "shuffle/2"), hidden_dim=3),
}
VIEWS = tuple(name for task in TASKS.values() for name in task.names)
CONTRASTING = [name for name in names("framework") if "original_weight" in find("framework", name).options.model_fields]
"""The frameworks that contrast the tasks' own views; the others say so when a cell is loaded."""


def with_task_views(batch: Batch, seed: int = 0) -> Batch:
    """Adds the tasks' views, each other noise around the query, those of shuffle of half its frames."""
    generator = torch.Generator().manual_seed(100 + seed)
    query = batch.views["query"]
    clips = {name: noisy(query.clips.float(), generator).to(query.clips.dtype) for name in VIEWS}
    clips |= {name: clip[:, :, : clip.shape[2] // 2] for name, clip in clips.items() if name != "rotation"}
    added = {name: replace(view(clip), video=query.video) for name, clip in clips.items()}
    classes = {"rotation/rotation": 4, "shuffle": 3}
    answers = {name: torch.randint(count, (batch.size,), generator=generator) for name, count in classes.items()}
    return Batch({**batch.views, **added}, {**batch.targets, **answers})
