"""The backbone of a finished cell: what is evaluated and exported."""

from __future__ import annotations

from raysl.config.cell import CellConfig
from raysl.config.identity import cell_id
from raysl.errors import RayslError
from raysl.models.backbone import Backbone
from raysl.objectives.build import draw_backbone
from raysl.results import CellFolder
from raysl.training.checkpoint import read_checkpoint

PREFIX = "backbone."


def load_backbone(cell: CellConfig, folder: CellFolder) -> Backbone:
    """The backbone of a cell that is done, on the CPU, in eval mode; batch norm as in `torch.nn`.

    Raises:
        RayslError: the cell is not done, its folder holds no weights (a slim store), or they are another cell's.
    """
    data = folder.final_checkpoint()
    if data is None:
        status = folder.state().status
        why = "its folder holds no weights (a slim store)" if status == "done" else f"it is {status}"
        raise RayslError(f"cell {folder.name} has no backbone to load: {why}; run its study first")
    model = read_checkpoint(data, cell_id(cell)).model
    backbone = draw_backbone(cell)
    backbone.load_state_dict({k.removeprefix(PREFIX): v for k, v in model.items() if k.startswith(PREFIX)})
    return backbone.eval()
