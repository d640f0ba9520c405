"""Small random batches for tests of objectives."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from raysl.models.backbone import Backbone
from raysl.objectives.term import TermContext
from raysl.views.batch import Batch, View


class TinyBackbone(Backbone):
    """Six channels, one convolution and one batch norm: for terms that copy a backbone."""

    feature_dim = 6

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv3d(3, 6, kernel_size=3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm3d(6)

    def forward(self, clips: Tensor) -> Tensor:
        """``[B, 3, T, H, W]`` to ``[B, 6, T / 2, H / 2, W / 2]``."""
        return torch.relu(self.norm(self.convolution(clips)))


def context(**changes: Any) -> TermContext:
    """Of sixteen training videos and ten steps of four."""
    given: dict[str, Any] = {"videos": range(16), "batch_size": 4, "total_steps": 10, "seed": 0}
    if "backbone" not in changes:
        changes["backbone"] = TinyBackbone()
    return TermContext(**({"feature_dim": changes["backbone"].feature_dim} | given | changes))


def view(clips: Tensor) -> View:
    size = clips.shape[0]
    return View(
        clips=clips,
        video=torch.arange(size),
        center=torch.full((size,), 0.5),
        box=torch.tensor([0.0, 0.0, 1.0, 1.0]).repeat(size, 1),
        rate=torch.ones(size),
    )


def random_batch(size: int = 4, dtype: torch.dtype = torch.float32, seed: int = 0) -> Batch:
    """Query and key of correlated noise, ``[size, 3, 4, 16, 16]``."""
    generator = torch.Generator().manual_seed(seed)
    query = torch.randn(size, 3, 4, 16, 16, generator=generator)
    key = query + 0.5 * torch.randn(query.shape, generator=generator)
    return Batch(views={"query": view(query.to(dtype)), "key": view(key.to(dtype))})


def rows_of(batch: Batch, rows: slice) -> Batch:
    return Batch(views={name: view(v.clips[rows]) for name, v in batch.views.items()})
