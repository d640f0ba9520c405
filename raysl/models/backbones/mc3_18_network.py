"""The network of `mc3_18`; its options and sources stand in `raysl.models.backbones.mc3_18`."""

from __future__ import annotations

from torch import nn

from raysl.models.backbone_options import stem_channels
from raysl.models.backbones.mc3_18 import MC318Options
from raysl.models.video_resnet import VideoResNet, draw_kaiming


class MC318(VideoResNet):
    """MC3-18 without pooling and classifier; modules are named as in torchvision, so its weights load at width 1.

    ``[B, 3, T, H, W]`` to ``[B, 512 * width, T, H / 16, W / 16]``, sizes rounded up; clips of any size.

    Args:
        width: factor of every layer's channels.
    """

    def __init__(self, width: float = 1.0) -> None:
        channels = stem_channels(width)
        stem = nn.Sequential(
            nn.Conv3d(3, channels, kernel_size=(3, 7, 7), stride=(1, 2, 2), padding=(1, 3, 3), bias=False),
            nn.BatchNorm3d(channels),
            nn.ReLU(inplace=True),
        )
        super().__init__(channels, stem, ["Conv3DSimple", *["Conv3DNoTemporal"] * 3])
        draw_kaiming(self)


def build(options: MC318Options) -> MC318:
    return MC318(options.width)
