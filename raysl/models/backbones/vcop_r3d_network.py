"""The network of `vcop_r3d`; its options and sources stand in `raysl.models.backbones.vcop_r3d`."""

from __future__ import annotations

from torch import nn

from raysl.models.backbone_options import LastStageTime, stem_channels
from raysl.models.backbones.vcop_r3d import VcopR3DOptions
from raysl.models.video_resnet import VideoResNet


class VcopR3D(VideoResNet):
    """R3D of VCOP without pooling and classifier.

    ``[B, 3, T, H, W]`` to ``[B, 512 * width, T / 8, H / 16, W / 16]``, sizes rounded up; clips of any size.

    Args:
        width: factor of every layer's channels.
        last_stage_time: ``kept`` gives T / 4.
    """

    def __init__(self, width: float = 1.0, last_stage_time: LastStageTime = "halved") -> None:
        channels = stem_channels(width)
        stem = nn.Sequential(
            nn.Conv3d(3, channels, kernel_size=(3, 7, 7), stride=(1, 2, 2), padding=(1, 3, 3), bias=False),
            nn.BatchNorm3d(channels),
            nn.ReLU(inplace=True),
        )
        super().__init__(channels, stem, ["Conv3DSimple"] * 4, blocks=1, last_stage_time=last_stage_time)


def build(options: VcopR3DOptions) -> VcopR3D:
    return VcopR3D(options.width, options.last_stage_time)
