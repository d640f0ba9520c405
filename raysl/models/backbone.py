"""What every backbone is: a network from clips to feature maps before pooling."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Backbone(nn.Module, ABC):
    """Base of every backbone: ``COMPONENT.build(options) -> Backbone``.

    Attributes:
        feature_dim: D, channels of the last feature map.
    """

    feature_dim: int

    @abstractmethod
    def forward(self, clips: Tensor) -> Tensor:
        """``[B, 3, T, H, W]`` to ``[B, D, T', H', W']``, before any pooling."""


def pool(feature_map: Tensor) -> Tensor:
    """Mean over time and space, ``[B, D, T', H', W'] -> [B, D]``."""
    return feature_map.mean(dim=(2, 3, 4))
