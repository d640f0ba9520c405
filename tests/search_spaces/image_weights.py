"""Narrow image networks for the inflated rows at ``smoke``, and RAFT for the motion of tasks' cases.

What a ResNet-50 from ImageNet, or a RAFT from torchvision, is to a study as published: random weights, of the size that
the scale makes the network.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from raysl.config.component import find
from tests.models.narrow_weights import image_state

NAMES = ("imagenet_resnet50", "simclr_resnet50", "simclr_resnet50_k600")
FLOW = "raft"
SMOKE_WIDTH = 0.0625


def save_image_weights(folder: Path, width: float = SMOKE_WIDTH) -> list[Path]:
    """One state dict by torchvision's names for each of `NAMES`, and raft_small's, each drawn anew."""
    component: Any = find("backbone", "cvrl_r3d")
    files = []
    for seed, name in enumerate(NAMES):
        torch.manual_seed(seed)
        state = image_state(component.build(component.options(width=width)))
        folder.mkdir(parents=True, exist_ok=True)
        files.append(folder / f"{name}.pth")
        torch.save(state, files[-1])
    return [*files, save_flow_weights(folder)]


def save_flow_weights(folder: Path) -> Path:
    """A state dict of raft_small."""
    from torchvision.models.optical_flow import raft_small

    torch.manual_seed(len(NAMES))
    torch.save(raft_small().state_dict(), folder / f"{FLOW}.pth")
    return folder / f"{FLOW}.pth"
