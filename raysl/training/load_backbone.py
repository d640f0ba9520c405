"""Loads the backbone of a finished cell, for evaluation and export, or its whole network."""

from __future__ import annotations

from typing import Any

from raysl.config.cell import CellConfig
from raysl.config.identity import cell_id
from raysl.data.source import VideoSource
from raysl.errors import RayslError
from raysl.models.backbone import Backbone
from raysl.objectives.build import draw_backbone, objective_on
from raysl.objectives.objective import Objective
from raysl.results import CellFolder
from raysl.training.checkpoint import read_checkpoint
from raysl.views.training_videos import training_videos

PREFIX = "backbone."


def load_backbone(cell: CellConfig, folder: CellFolder) -> Backbone:
    """The backbone of a cell that is done, on the CPU, in eval mode; batch norm as in `torch.nn`.

    Raises:
        RayslError: the cell is not done, its folder holds no weights (a slim store), or they are another cell's.
    """
    model = _weights(cell, folder)
    backbone = draw_backbone(cell)
    backbone.load_state_dict({k.removeprefix(PREFIX): v for k, v in model.items() if k.startswith(PREFIX)})
    return backbone.eval()


def load_network(cell: CellConfig, folder: CellFolder, source: VideoSource) -> Objective:
    """Backbone and heads of a cell that is done, on the CPU, in eval mode; batch norm as in `torch.nn`.

    Args:
        source: of the cell's data; its classes and videos give heads and banks their sizes.

    Raises:
        RayslError: as `load_backbone`; nothing of the cell was trained.
    """
    if cell.pretraining == "none":
        raise RayslError(f"cell {folder.name} has no trained network: pretraining: none trains nothing")
    model = _weights(cell, folder)
    objective = objective_on(
        draw_backbone(cell), cell, training_videos(cell, source), 1, classes=len(source.catalog.classes)
    )
    objective.load_state_dict(model)
    return objective.eval()


def _weights(cell: CellConfig, folder: CellFolder) -> dict[str, Any]:
    data = folder.final_checkpoint()
    if data is None:
        status = folder.state().status
        why = "its folder holds no weights (a slim store)" if status == "done" else f"it is {status}"
        raise RayslError(f"cell {folder.name} has no backbone to load: {why}; run its study first")
    return read_checkpoint(data, cell_id(cell)).model
