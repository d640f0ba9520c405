"""What the losses over windows share: view names, features in time, checks of the cell, advice on the temperature.

Shapes: B videos, N timesteps, D feature channels, T' timesteps of a feature map.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from raysl.config.cell import CellConfig
from raysl.config.component import find
from raysl.errors import ConfigError
from raysl.models.backbone import Backbone
from raysl.models.projector import Projector
from raysl.models.shape import feature_shape
from raysl.published import published_table

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


def check_windows(term: str, cell: CellConfig) -> int:
    """The number of timesteps.

    Raises:
        ConfigError: the cell has no windows, or windows of one timestep.
    """
    if cell.sampling.windows is None:
        raise ConfigError(f"{term} contrasts the clips of a window; set sampling.windows: global_local")
    timesteps: int = cell.sampling.windows.options.timesteps
    if timesteps < 2:
        raise ConfigError(
            f"{term} needs two or more local clips (sampling.windows.local_clips): the others are the negatives; a "
            f"window has {timesteps}"
        )
    return timesteps


def check_timesteps(term: str, cell: CellConfig) -> None:
    """Refuses a number of local clips that does not divide the timesteps of the last feature map.

    Raises:
        ConfigError: naming both.
    """
    timesteps = check_windows(term, cell)
    options = cell.backbone.options.model_dump_json()
    left = timesteps_left(cell.backbone.name, options, cell.clip.frames, cell.clip.size)
    if left % timesteps:
        raise ConfigError(
            f"{term}: a window has {timesteps} local clips, which do not divide the {left} timestep(s) that backbone "
            f"{cell.backbone.name} leaves of a clip of {cell.clip.frames} frames; change sampling.windows.local_clips, "
            "clip.frames or backbone.last_stage_time"
        )


@functools.lru_cache(maxsize=256)
def timesteps_left(backbone: str, options: str, frames: int, size: int) -> int:
    """T' that a backbone with these options (JSON) leaves; cached, since the rows of a study have few of them."""
    component = find("backbone", backbone)
    with torch.device("meta"):
        built: Backbone = component.build(component.options.model_validate_json(options))
    return feature_shape(built, frames, size)[1]


def advise_temperature(temperature: float, cell: CellConfig) -> str | None:
    """What TCLR's Table 11 shows where the temporal temperature is below the instance temperature; else None."""
    contrastive = cell.objective.contrastive
    instance = None if contrastive is None else getattr(contrastive.options, "temperature", None)
    if instance is None or temperature >= instance:
        return None
    below, others = _published_accuracies()
    return (
        "a temporal loss (objective.local_local, objective.global_local) has a temperature below that of "
        f"objective.contrastive: in TCLR's Table 11 the {len(below)} such rows reach {min(below):g} to {max(below):g}, "
        f"the others {min(others):g} to {max(others):g}"
    )


def _published_accuracies() -> tuple[list[float], list[float]]:
    """Published accuracies of the rows below, and of the others."""
    below: list[float] = []
    others: list[float] = []
    for instance, temporal, accuracy in published_table("tclr_t11").rows:
        assert isinstance(instance, int | float)
        assert isinstance(temporal, int | float)
        assert isinstance(accuracy, int | float)
        (below if temporal < instance else others).append(float(accuracy))
    return below, others
