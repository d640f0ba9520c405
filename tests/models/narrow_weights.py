"""A file of image weights so small that a cell can start from it in a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from raysl.config.component import find

NARROW: dict[str, Any] = {"name": "slow_r18", "width": 0.0625, "init": "inflate", "inflate_from": "narrow"}
"""The backbone that it fits."""


def save_narrow_weights(folder: Path) -> Path:
    """An image ResNet-18 of 4 channels after the stem: the video network itself, flattened in time."""
    component = find("backbone", NARROW["name"])
    torch.manual_seed(7)
    video = component.build(component.options(width=NARROW["width"]))
    image = {
        video.image_name(key): value.sum(dim=2) if value.ndim == 5 else value
        for key, value in video.state_dict().items()
    }
    torch.save(image, folder / "narrow.pt")
    return folder / "narrow.pt"
