"""Narrow image networks for the inflated rows at ``smoke``.

What a ResNet-50 from ImageNet is to a study as published: random weights, as narrow as the scale makes the backbone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from raysl.config.component import find
from tests.models.narrow_weights import image_state

NAMES = ("imagenet_resnet50", "simclr_resnet50", "simclr_resnet50_k600")
SMOKE_WIDTH = 0.0625


def save_image_weights(folder: Path, width: float = SMOKE_WIDTH) -> list[Path]:
    """One state dict by torchvision's names for each of `NAMES`, each drawn anew."""
    component: Any = find("backbone", "cvrl_r3d")
    files = []
    for seed, name in enumerate(NAMES):
        torch.manual_seed(seed)
        state = image_state(component.build(component.options(width=width)))
        folder.mkdir(parents=True, exist_ok=True)
        files.append(folder / f"{name}.pth")
        torch.save(state, files[-1])
    return files
