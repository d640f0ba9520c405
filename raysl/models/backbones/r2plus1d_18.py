"""R(2+1)D-18 of torchvision: every 3x3x3 convolution as 1x3x3 and 3x1x1.

Tran et al. 2018, https://arxiv.org/abs/1711.11248, as torchvision builds it (code): between the two lie
M = floor(27 i o / (9 i + 3 o)) channels, batch norm and ReLU; M is computed once a block, from its inputs i and outputs
o, for both of its convolutions. Stem 1x7x7 with stride (1, 2, 2) to 45 channels, then 3x1x1 to 64; no max pool. A
16x112x112 clip gives 2x7x7, with ``last_stage_time: kept`` (TCLR) 4x7x7. 31 300 125 parameters at width 1.
"""

from __future__ import annotations

from torch import nn

from raysl.config.component import Component
from raysl.config.options import Options
from raysl.models.backbone import stem_channels, width_option
from raysl.models.plain_network import WITHOUT_FC, PlainNetwork, kept_time, of_torchvision
from raysl.models.video_resnet import LastStageTime, VideoResNet, draw_kaiming, last_stage_option

STEM_MIDDLE = 45
"""Channels between the stem's two convolutions at width 1."""


class R2Plus1D18Options(Options):
    """Options of R(2+1)D-18."""

    width: float = width_option(
        "64 channels after the stem and 512 at the end; the channels within a factorised convolution are rounded down",
        "printed: Tran et al. 2018: 64 to 512",
    )
    last_stage_time: LastStageTime = last_stage_option()


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


def _build(options: R2Plus1D18Options) -> R2Plus1D18:
    return R2Plus1D18(options.width, options.last_stage_time)


def _plain(options: R2Plus1D18Options) -> PlainNetwork:
    kept = options.last_stage_time == "kept"
    changes = [kept_time("network.layer4[0].conv1[0][3]", (2, 0, 0), (1, 1, 1))] if kept else []
    return of_torchvision("r2plus1d_18", options.width, WITHOUT_FC, *changes)


COMPONENT = Component(kind="backbone", options=R2Plus1D18Options, build=_build, plain=_plain)
