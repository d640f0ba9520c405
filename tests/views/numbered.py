"""Videos whose frames say their own numbers, so that a test reads from a batch which frames its clips hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from raysl.config.cell import CellConfig
from raysl.data.catalog import Catalog, Video
from raysl.data.frame_cache import FrameCache
from raysl.data.manifest_types import Manifest, ManifestRow
from raysl.data.source import VideoSource
from raysl.streams import stream
from raysl.views.batch import Batch
from raysl.views.clip_input import DIFFERENCE_STD, MEAN, STD
from raysl.views.loader import PretrainingLoader
from tests.views.sets import small_cell

SEED = 3
"""Of `small_cell`."""


class NumberedSource(VideoSource):
    """Frame i has the value i everywhere. Videos have at most 256 frames.

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


def numbered_cell(**changes: Any) -> CellConfig:
    """Clips of 16 frames at stride 4, without spatial augmentation."""
    changes["clip"] = {"frames": 16, "stride": 4} | changes.get("clip", {})
    temporal = changes.pop("temporal", None)
    changes["augment"] = {"name": "none"} | ({} if temporal is None else {"temporal": temporal})
    return small_cell(**({"batch_size": 2} | changes))


def batches(cell: CellConfig, source: VideoSource, names: Sequence[str], epoch: int = 0) -> list[Batch]:
    """One rank's batches of an epoch."""
    loader = PretrainingLoader(cell, source, view_names=tuple(names), rank=0, world_size=1)
    return list(loader.epoch(epoch))


def numbers(clip: Tensor) -> list[int]:
    """The frames that a clip of RGB input ``[3, T, H, W]`` holds."""
    pixels = clip * torch.tensor(STD).view(3, 1, 1, 1) + torch.tensor(MEAN).view(3, 1, 1, 1)
    assert (pixels - pixels[:1, :, :1, :1]).abs().max() < 1e-5
    return [round(value) for value in (255 * pixels[0, :, 0, 0]).tolist()]


def steps(clip: Tensor) -> list[int]:
    """The distances of consecutive frames of a clip of ``difference`` input."""
    return [round(value) for value in (255 * DIFFERENCE_STD * clip[0, :, 0, 0]).tolist()]


def pair_stream(video: int, epoch: int = 0) -> Any:
    """The stream that places the pair of a video."""
    return stream(SEED, epoch, video, "pair", "placement")
