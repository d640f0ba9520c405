"""Small random batches for tests of objectives, and small frameworks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from raysl.config.component import find
from raysl.config.resolve import resolve
from raysl.config.yaml_reader import Tree
from raysl.testing.batches import (
    PROJECTOR,
    TIMESTEPS,
    WINDOWS,
    TinyBackbone,
    context,
    noisy,
    part_of,
    random_batch,
    renumbered,
    view,
)
from raysl.views.batch import Batch

__all__ = [
    "PROJECTOR",
    "SMALL",
    "TIMESTEPS",
    "WINDOWS",
    "TinyBackbone",
    "context",
    "noisy",
    "part_of",
    "placed",
    "random_batch",
    "renumbered",
    "rows_of",
    "small",
    "small_options",
    "view",
]

SMALL: dict[str, dict[str, Any]] = {
    "byol": {"projector": PROJECTOR, "predictor": {"hidden_dim": 12}},
    "instdisc": {"projector": PROJECTOR, "negatives": 12},
    "moco": {"projector": PROJECTOR, "queue_size": 16},
    "simclr": {"projector": PROJECTOR},
    "simsiam": {"projector": PROJECTOR, "predictor": {"hidden_dim": 6}},
    "tclr_released": {"projector": PROJECTOR},
}
"""Options that make a framework small: a queue of two batches of eight, a bank of sixteen videos."""


def small(name: str, **changes: Any) -> dict[str, Any]:
    """The tree ``objective.contrastive`` of a small framework."""
    return {"framework": name, **SMALL.get(name, {}), **changes}


def small_options(name: str, **changes: Any) -> Any:
    """The options of a small framework."""
    given = {key: value for key, value in small(name, **changes).items() if key != "framework"}
    return resolve(find("framework", name).options, Tree(given))


def rows_of(batch: Batch, rows: slice) -> Batch:
    return Batch(views={name: view(v.clips[rows]) for name, v in batch.views.items()})


def placed(batch: Batch, seed: int = 0) -> Batch:
    """The same clips, each from a drawn place of its video and of a drawn playback rate."""
    generator = torch.Generator().manual_seed(seed)
    drawn = {name: torch.rand(2, batch.size, generator=generator) for name in batch.views}
    return Batch(
        views={
            name: replace(v, center=drawn[name][0], distortion=1 + drawn[name][1] / 4)
            for name, v in batch.views.items()
        }
    )
