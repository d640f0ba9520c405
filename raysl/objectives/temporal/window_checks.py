"""What the losses over windows check of a cell, and what they remark on."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from raysl.config.cell import CellConfig
from raysl.config.component import find
from raysl.errors import ConfigError
from raysl.published import published_table

if TYPE_CHECKING:
    from raysl.models.backbone import Backbone


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
    left = timesteps_left(cell)
    if left % timesteps:
        raise ConfigError(
            f"{term}: a window has {timesteps} local clips, which do not divide the {left} timestep(s) that backbone "
            f"{cell.backbone.name} leaves of a clip of {cell.clip.frames} frames; change sampling.windows.local_clips, "
            "clip.frames or backbone.last_stage_time"
        )


def timesteps_left(cell: CellConfig) -> int:
    """T' that the backbone leaves of the cell's clips."""
    backbone, clip = cell.backbone, cell.clip
    known = backbone.component.timesteps
    if known is not None:
        return known(backbone.options, clip.frames)
    return _built_timesteps(backbone.name, backbone.options.model_dump_json(), clip.frames, clip.size)


@functools.lru_cache(maxsize=256)
def _built_timesteps(name: str, options: str, frames: int, size: int) -> int:
    """By building a backbone with these options (JSON); cached, since the rows of a study have few of them."""
    import torch

    from raysl.models.shape import feature_shape

    component = find("backbone", name)
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
