"""The network of `r3d_18`; its options and sources stand in `raysl.models.backbones.r3d_18`."""

from __future__ import annotations

from torch import nn

from raysl.models.backbone_options import LastStageTime, stem_channels
from raysl.models.backbones.r3d_18 import R3D18Options
from raysl.models.video_resnet import VideoResNet, draw_kaiming


class R3D18(VideoResNet):
    """R3D-18 without pooling and classifier; modules are named as in torchvision, so its weights load at width 1.

    ``[B, 3, T, H, W]`` to ``[B, 512 * width, T / 8, H / 16, W / 16]``, sizes rounded up; clips of any size.

    Args:
        width: factor of every layer's channels.
        last_stage_time: ``kept`` gives T / 4.
        max_pool: half of these times and sizes.
    """

    def __init__(self, width: float = 1.0, last_stage_time: LastStageTime = "halved", max_pool: bool = False) -> None:
        channels = stem_channels(width)
        stem = nn.Sequential(
            nn.Conv3d(3, channels, kernel_size=(3, 7, 7), stride=(1, 2, 2), padding=(1, 3, 3), bias=False),
            nn.BatchNorm3d(channels),
            nn.ReLU(inplace=True),
        )
        if max_pool:
            stem.append(nn.MaxPool3d(kernel_size=3, stride=2, padding=1))
        super().__init__(channels, stem, ["Conv3DSimple"] * 4, last_stage_time=last_stage_time)
        draw_kaiming(self)


def build(options: R3D18Options) -> R3D18:
    return R3D18(options.width, options.last_stage_time, options.max_pool)
