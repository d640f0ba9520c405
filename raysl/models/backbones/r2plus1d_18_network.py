"""The network of `r2plus1d_18`; its options and sources stand in `raysl.models.backbones.r2plus1d_18`."""

from __future__ import annotations

from torch import nn

from raysl.models.backbone_options import LastStageTime, stem_channels
from raysl.models.backbones.r2plus1d_18 import R2Plus1D18Options
from raysl.models.video_resnet import VideoResNet, draw_kaiming

STEM_MIDDLE = 45
"""Channels between the stem's two convolutions at width 1."""


class R2Plus1D18(VideoResNet):
    """R(2+1)D-18 without pooling and classifier; modules are named as in torchvision, so its weights load at width 1.

    ``[B, 3, T, H, W]`` to ``[B, 512 * width, T / 8, H / 16, W / 16]``, sizes rounded up; clips of any size.

    Args:
        width: factor of every layer's channels.
        last_stage_time: ``kept`` gives T / 4.
    """

    def __init__(self, width: float = 1.0, last_stage_time: LastStageTime = "halved") -> None:
        channels = stem_channels(width)
        middle = max(1, int(STEM_MIDDLE * width))
        stem = nn.Sequential(
            nn.Conv3d(3, middle, kernel_size=(1, 7, 7), stride=(1, 2, 2), padding=(0, 3, 3), bias=False),
            nn.BatchNorm3d(middle),
            nn.ReLU(inplace=True),
            nn.Conv3d(middle, channels, kernel_size=(3, 1, 1), padding=(1, 0, 0), bias=False),
            nn.BatchNorm3d(channels),
            nn.ReLU(inplace=True),
        )
        super().__init__(channels, stem, ["Conv2Plus1D"] * 4, last_stage_time=last_stage_time)
        draw_kaiming(self)


def build(options: R2Plus1D18Options) -> R2Plus1D18:
    return R2Plus1D18(options.width, options.last_stage_time)
