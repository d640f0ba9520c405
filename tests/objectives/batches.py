"""Small random batches for tests of objectives."""

from __future__ import annotations

import torch
from torch import Tensor

from raysl.views.batch import Batch, View


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
