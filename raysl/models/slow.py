"""What the slow-pathway ResNets that PyTorchVideo builds have in common."""

from __future__ import annotations

import re

from torch import Tensor, nn

from raysl.models.inflate import InflatableBackbone

IMAGE_NAMES = (
    (r"^network\.blocks\.0\.conv\.", "conv1."),
    (r"^network\.blocks\.0\.norm\.", "bn1."),
    (r"^network\.blocks\.(\d+)\.res_blocks\.(\d+)\.", r"layer\1.\2."),
    (r"\.branch1_conv\.", ".downsample.0."),
    (r"\.branch1_norm\.", ".downsample.1."),
    (r"\.branch2\.conv_a\.", ".conv1."),
    (r"\.branch2\.norm_a\.", ".bn1."),
    (r"\.branch2\.conv_b\.", ".conv2."),
    (r"\.branch2\.norm_b\.", ".bn2."),
    (r"\.branch2\.conv_c\.", ".conv3."),
    (r"\.branch2\.norm_c\.", ".bn3."),
)
"""PyTorchVideo's names, with this module's ``network.`` before them, to torchvision's, part by part."""


class SlowResNet(InflatableBackbone):
    """A ResNet built by PyTorchVideo, without pooling and classifier; clips of any size pass.

    Args:
        network: stem and four stages.
        feature_dim: channels after the last stage.
        image_network: the image network it grew from.
    """

    def __init__(self, network: nn.Module, feature_dim: int, image_network: str) -> None:
        super().__init__()
        self.network = network
        self.feature_dim = feature_dim
        self.image_network = image_network

    def forward(self, clips: Tensor) -> Tensor:
        """``[B, 3, T, H, W]`` to ``[B, feature_dim, T', H / 32, W / 32]``, sizes rounded up; T' is the network's."""
        features: Tensor = self.network(clips)
        return features

    def image_name(self, name: str) -> str:
        for ours, theirs in IMAGE_NAMES:
            name = re.sub(ours, theirs, name)
        return name
