"""No network: where in the frame something moves. Accuracy above this baseline does not come from that alone.

On data sets of a few classes filmed in similar ways these maps beat many features that are learned from little data.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from raysl.config.component import Component
from raysl.config.options import Options, option
from raysl.models.backbone import Backbone, refuse_training


class MotionMapsOptions(Options):
    """Options of motion maps."""

    size: int = option(32, doc="height and width of a map", unit="cells", source="ours", ge=1, le=128)


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


def _build(options: MotionMapsOptions) -> MotionMaps:
    return MotionMaps(options.size)


COMPONENT = Component(kind="backbone", options=MotionMapsOptions, build=_build, check=refuse_training("motion_maps"))
