"""MC3-18 of torchvision: 3-D convolutions in the stem and the first stage, 2-D ones in the others.

Tran et al. 2018, https://arxiv.org/abs/1711.11248, as torchvision builds it (code): R3D-18 (`r3d_18`) whose stages 2 to
4 convolve over space alone and so keep time. A 16x112x112 clip gives 16x7x7. 11 490 240 parameters at width 1.
"""

from __future__ import annotations

from raysl.config.component import Component, later
from raysl.config.options import Options
from raysl.models.backbone_options import halved, width_option
from raysl.models.plain_network import WITHOUT_FC, PlainNetwork, of_torchvision


class MC318Options(Options):
    """Options of MC3-18."""

    width: float = width_option("64 channels after the stem and 512 at the end", "printed: Tran et al. 2018: 64 to 512")


def _plain(options: MC318Options) -> PlainNetwork:
    return of_torchvision("mc3_18", options.width, WITHOUT_FC)


COMPONENT = Component(
    kind="backbone",
    options=MC318Options,
    build=later("raysl.models.backbones.mc3_18_network", "build"),
    timesteps=halved(0),
    plain=_plain,
)
