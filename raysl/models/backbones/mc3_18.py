"""MC3-18 of torchvision: 3-D convolutions in the stem and the first stage, 2-D ones in the others.

Tran et al. 2018, https://arxiv.org/abs/1711.11248, as torchvision builds it (code): R3D-18 (`r3d_18`) whose stages 2 to
4 convolve over space alone and so keep time. A 16x112x112 clip gives 16x7x7. 11 490 240 parameters at width 1.
"""

from __future__ import annotations

from torch import nn

from raysl.config.component import Component
from raysl.config.options import Options
from raysl.models.backbone import stem_channels, width_option
from raysl.models.plain_network import WITHOUT_FC, PlainNetwork, of_torchvision
from raysl.models.video_resnet import VideoResNet, draw_kaiming


class MC318Options(Options):
    """Options of MC3-18."""

    width: float = width_option("64 channels after the stem and 512 at the end", "printed: Tran et al. 2018: 64 to 512")


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


def _build(options: MC318Options) -> MC318:
    return MC318(options.width)


def _plain(options: MC318Options) -> PlainNetwork:
    return of_torchvision("mc3_18", options.width, WITHOUT_FC)


COMPONENT = Component(kind="backbone", options=MC318Options, build=_build, plain=_plain)
