"""R(2+1)D-18 of torchvision: every 3x3x3 convolution as 1x3x3 and 3x1x1.

Tran et al. 2018, https://arxiv.org/abs/1711.11248, as torchvision builds it (code): between the two lie
M = floor(27 i o / (9 i + 3 o)) channels, batch norm and ReLU; M is computed once a block, from its inputs i and outputs
o, for both of its convolutions. Stem 1x7x7 with stride (1, 2, 2) to 45 channels, then 3x1x1 to 64; no max pool. A
16x112x112 clip gives 2x7x7, with ``last_stage_time: kept`` (TCLR) 4x7x7. 31 300 125 parameters at width 1.
"""

from __future__ import annotations

from raysl.config.component import Component, later
from raysl.config.options import Options
from raysl.models.backbone_options import LastStageTime, halved, last_stage_option, width_option
from raysl.models.plain_network import WITHOUT_FC, PlainNetwork, kept_time, of_torchvision


class R2Plus1D18Options(Options):
    """Options of R(2+1)D-18."""

    width: float = width_option(
        "64 channels after the stem and 512 at the end; the channels within a factorised convolution are rounded down",
        "printed: Tran et al. 2018: 64 to 512",
    )
    last_stage_time: LastStageTime = last_stage_option()


def _plain(options: R2Plus1D18Options) -> PlainNetwork:
    kept = options.last_stage_time == "kept"
    changes = [kept_time("network.layer4[0].conv1[0][3]", (2, 0, 0), (1, 1, 1))] if kept else []
    return of_torchvision("r2plus1d_18", options.width, WITHOUT_FC, *changes)


COMPONENT = Component(
    kind="backbone",
    options=R2Plus1D18Options,
    build=later("raysl.models.backbones.r2plus1d_18_network", "build"),
    timesteps=halved(3),
    plain=_plain,
)
