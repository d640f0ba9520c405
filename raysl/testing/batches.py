"""Small random batches for tests of objectives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from raysl.models.backbone import Backbone
from raysl.objectives.term import TermContext
from raysl.views.batch import Batch, View

TIMESTEPS = 2
"""Local clips of a window."""
WINDOWS: dict[str, Any] = {"sampling.windows": {"name": "global_local", "local_clips": TIMESTEPS, "skips": [TIMESTEPS]}}
"""Of a cell, so that it can have any term."""


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
    given: dict[str, Any] = {"videos": range(16), "batch_size": 4, "total_steps": 10, "seed": 0, "timesteps": TIMESTEPS}
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
        distortion=torch.ones(size),
    )


def random_batch(size: int = 4, dtype: torch.dtype = torch.float32, seed: int = 0, frames: int = 4) -> Batch:
    """Query and key of correlated noise, ``[size, 3, frames, 16, 16]``, and the clips of a window of other noise."""
    generator = torch.Generator().manual_seed(seed)
    query = torch.randn(size, 3, frames, 16, 16, generator=generator)
    clips = {"query": query, "key": noisy(query, generator)}
    window = torch.randn(size, 3, TIMESTEPS * frames, 16, 16, generator=generator)
    parts = {f"local/{step}": part for step, part in enumerate(window.chunk(TIMESTEPS, dim=2))}
    originals = {"global": window[:, :, ::TIMESTEPS], **parts}
    clips |= originals | {f"{name}/copy": noisy(clip, generator) for name, clip in originals.items()}
    return Batch(views={name: view(clip.to(dtype)) for name, clip in clips.items()})


def noisy(clips: Tensor, generator: torch.Generator) -> Tensor:
    return clips + 0.5 * torch.randn(clips.shape, generator=generator)


PROJECTOR = {"hidden_dim": 12, "output_dim": 8}


def part_of(batch: Batch, rows: slice) -> Batch:
    """Some videos of a batch, with their own indices and answers."""
    return Batch(
        views={
            name: View(v.clips[rows], v.video[rows], v.center[rows], v.box[rows], v.rate[rows], v.distortion[rows])
            for name, v in batch.views.items()
        },
        targets={name: answers[rows] for name, answers in batch.targets.items()},
    )


def renumbered(batch: Batch, first: int) -> Batch:
    """The same clips as those of videos ``first`` and on."""
    return replace(batch, views={name: replace(v, video=v.video + first) for name, v in batch.views.items()})
