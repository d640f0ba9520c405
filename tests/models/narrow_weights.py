"""A file of image weights so small that a cell can start from it in a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from raysl.config.component import find
from raysl.models.inflate import InflatableBackbone

NARROW: dict[str, Any] = {"name": "slow_r18", "width": 0.0625, "init": "inflate", "inflate_from": "narrow"}
"""The backbone that it fits."""


def image_state(backbone: InflatableBackbone) -> dict[str, Tensor]:
    """The backbone flattened in time: an image network by torchvision's names."""
    return {
        backbone.image_name(key): value.sum(dim=2) if value.ndim == 5 else value
        for key, value in backbone.state_dict().items()
    }


def save_narrow_weights(folder: Path) -> Path:
    """An image ResNet-18 of 4 channels after the stem."""
    component: Any = find("backbone", NARROW["name"])
    torch.manual_seed(7)
    torch.save(image_state(component.build(component.options(width=NARROW["width"]))), folder / "narrow.pt")
    return folder / "narrow.pt"
