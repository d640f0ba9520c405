"""The R3D of VCOP, PRP, PacePred and CSTP: R3D with one block a stage, nine convolutions deep.

Xu et al. 2019, "Self-supervised Spatiotemporal Learning via Video Clip Order Prediction", CVPR 2019 (code); called
R3D-18 there and in what followed. The stem and the stages are those of `r3d_18`, each stage one basic block; weights
start as torch.nn draws them. A 16x112x112 clip gives 2x7x7. 14 361 792 parameters at width 1.
"""

from __future__ import annotations

from torch import nn

from raysl.config.component import Component
from raysl.config.options import Options
from raysl.models.backbone import stem_channels, width_option
from raysl.models.plain_network import WITHOUT_FC, Change, PlainNetwork, kept_time, of_torchvision
from raysl.models.video_resnet import LastStageTime, VideoResNet, last_stage_option


class VcopR3DOptions(Options):
    """Options of the R3D of VCOP."""

    width: float = width_option("64 channels after the stem and 512 at the end", "code: VCOP: 64 to 512")
    last_stage_time: LastStageTime = last_stage_option()


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


def _build(options: VcopR3DOptions) -> VcopR3D:
    return VcopR3D(options.width, options.last_stage_time)


def _plain(options: VcopR3DOptions) -> PlainNetwork:
    one_block = ("for stage in (network.layer1, network.layer2, network.layer3, network.layer4):", "    del stage[1]")
    changes: list[Change] = [("every stage has one block", one_block)]
    if options.last_stage_time == "kept":
        changes.append(kept_time("network.layer4[0].conv1[0]", (2, 1, 1), (1, 2, 2)))
    return of_torchvision("r3d_18", options.width, WITHOUT_FC, *changes)


COMPONENT = Component(kind="backbone", options=VcopR3DOptions, build=_build, plain=_plain)
