"""What the losses over windows share: view names, features in time, checks of the cell, advice on the temperature.

Shapes: B videos, N timesteps, D feature channels, T' timesteps of a feature map.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from raysl.models.projector import Projector

COPIES = ("", "/copy")
"""Suffixes of the two views of each clip of a window."""


def local_names(timesteps: int, copy: str = "") -> tuple[str, ...]:
    """The views of the local clips, in their order in time."""
    return tuple(f"local/{step}{copy}" for step in range(timesteps))


def pooled_in_space(feature_map: Tensor) -> Tensor:
    """``[B, D, T', H', W']`` to ``[B, D, T']``."""
    return feature_map.mean(dim=(3, 4))


def embed(projector: Projector, rows: Sequence[Tensor]) -> list[Tensor]:
    """Each ``[B, D]`` to ``[B, d]``, all in one pass, view-major."""
    return list(projector(torch.cat(list(rows))).chunk(len(rows)))


def timestep_rows(features: Tensor, timesteps: int) -> list[Tensor]:
    """Features of a global clip ``[B, D, T']`` to those of each timestep, N of ``[B, D]``: means of T' / N."""
    return list(features.reshape(*features.shape[:2], timesteps, -1).mean(dim=3).unbind(dim=2))


def local_rows(features: Mapping[str, Tensor], names: Sequence[str]) -> list[Tensor]:
    """The feature of each local clip, the mean over time, ``[B, D]``."""
    return [features[name].mean(dim=2) for name in names]
