"""The self-gated inception block of S3D-G, a subclass of torchvision's: imported where a network is built.

Xie et al. 2018, "Rethinking Spatiotemporal Feature Learning", https://arxiv.org/abs/1712.04851.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torchvision.models.video.s3d import SepInceptionBlock3D


class SelfGating(nn.Module):
    """Scales every channel by a gate that sees all channels' means: sigmoid(W mean(x) + b) * x (Xie et al. 2018).

    ``[B, C, T, H, W]`` to the same shape.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, channels)

    def forward(self, features: Tensor) -> Tensor:
        gates = self.linear(features.mean(dim=(2, 3, 4))).sigmoid()
        gated: Tensor = features * gates[:, :, None, None, None]
        return gated


class GatedInception(SepInceptionBlock3D):  # type: ignore[misc]  # torchvision is not typed
    """torchvision's inception block with self-gating after each branch; arguments as there."""

    def __init__(self, *channels: int, norm_layer: Callable[[int], nn.Module]) -> None:
        super().__init__(*channels, norm_layer=norm_layer)
        _, branch0, _, branch1, _, branch2, branch3 = channels
        self.gates = nn.ModuleList(SelfGating(outputs) for outputs in (branch0, branch1, branch2, branch3))

    def forward(self, features: Tensor) -> Tensor:
        branches = (self.branch0, self.branch1, self.branch2, self.branch3)
        return torch.cat([gate(branch(features)) for gate, branch in zip(self.gates, branches, strict=True)], dim=1)
