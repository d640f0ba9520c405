"""Videos that are made in memory, and batches of them from the loader that training reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from raysl.config.cell import CellConfig
from raysl.data.catalog import Catalog, Video
from raysl.data.frame_cache import FrameCache
from raysl.data.manifest_types import Manifest, ManifestRow
from raysl.data.source import VideoSource
from raysl.distributed import rank, world_size
from raysl.views.batch import Batch
from raysl.views.loader import PretrainingLoader


class NumberedSource(VideoSource):
    """Frame i has the value i everywhere, so that a clip says which frames it holds. Videos have at most 256 frames.

    Attributes:
        asked: the indices of every call of ``frames``.
    """

    def __init__(self, *lengths: int) -> None:
        videos = tuple(Video(i, f"{i}.mp4", i % 2, "train") for i in range(len(lengths)))
        rows = tuple(ManifestRow(f"{i}.mp4", n, n, (0,), 32, 48, 25.0, f"{i}", False) for i, n in enumerate(lengths))
        nowhere = Path("nowhere")
        super().__init__(
            Catalog("numbered", ("a", "b"), videos), Manifest("numbered", rows), nowhere, FrameCache(nowhere, 32, 0)
        )
        self.asked: list[list[int]] = []

    def frames(self, index: int, frame_indices: Sequence[int]) -> Tensor:
        assert 0 <= min(frame_indices) <= max(frame_indices) < self.length(index) <= 256
        self.asked.append(list(frame_indices))
        return torch.tensor(frame_indices, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 32, 48).contiguous()


class MovingSource(NumberedSource):
    """Every video a texture of its own, which moves to the right by one pixel a frame."""

    def frames(self, index: int, frame_indices: Sequence[int]) -> Tensor:
        texture = torch.from_numpy(np.random.default_rng(index).integers(0, 256, (3, 32, 48), np.uint8))
        return torch.stack([texture.roll(frame, dims=2) for frame in frame_indices])


def loaded_batches(cell: CellConfig, source: VideoSource, views: Sequence[str], epoch: int = 0) -> list[Batch]:
    """This rank's batches of an epoch."""
    loader = PretrainingLoader(cell, source, view_names=tuple(views), rank=rank(), world_size=world_size())
    return list(loader.epoch(epoch))


def in_float64(batch: Batch) -> Batch:
    return replace(batch, views={name: replace(view, clips=view.clips.double()) for name, view in batch.views.items()})
