"""The network of `motion_maps`; its options and sources stand in `raysl.models.backbones.motion_maps`."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from raysl.models.backbone import Backbone
from raysl.models.backbones.motion_maps import MotionMapsOptions


class MotionMaps(Backbone):
    """``[B, 3, T, H, W]`` to a map of absolute frame differences, ``[B, size * size, 1, 1, 1]``; no weights.

    The mean over time and colours of ``|x[t + 1] - x[t]|``, and of each of ``size * size`` cells of the frame.

    Args:
        size: cells along height and width; a smaller clip repeats its pixels.
    """

    def __init__(self, size: int = 32) -> None:
        super().__init__()
        self.size = size
        self.feature_dim = size * size

    def forward(self, clips: Tensor) -> Tensor:
        motion = (clips[:, :, 1:] - clips[:, :, :-1]).abs().mean(dim=(1, 2))
        return F.adaptive_avg_pool2d(motion, self.size).flatten(1)[:, :, None, None, None]


def build(options: MotionMapsOptions) -> MotionMaps:
    return MotionMaps(options.size)
