"""Videos whose frames say their own numbers, so that a test reads from a batch which frames its clips hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from raysl.config.cell import CellConfig
from raysl.data.source import VideoSource
from raysl.streams import stream
from raysl.testing.videos import NumberedSource
from raysl.views.batch import Batch
from raysl.views.clip_input import DIFFERENCE_STD, MEAN, STD
from raysl.views.loader import PretrainingLoader
from tests.views.sets import small_cell

__all__ = ["SEED", "NumberedSource", "batches", "numbered_cell", "numbers", "pair_stream", "steps"]

SEED = 3
"""Of `small_cell`."""


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
