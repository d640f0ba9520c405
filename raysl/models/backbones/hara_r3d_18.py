"""The 3D ResNet-18 of Hara et al.: an image ResNet-18 with cubes for kernels.

Hara et al. 2018, "Can Spatiotemporal 3D CNNs Retrace the History of 2D CNNs and ImageNet?",
https://arxiv.org/abs/1711.09577, with shortcut type B as the authors' code builds it for 16 frames (code): stem 7x7x7
with stride (1, 2, 2), max pool 3x3x3 with stride 2, four stages of two basic blocks, stages 2 to 4 halve time, height
and width. An option for CSTP's R3D. A 16x112x112 clip gives 1x4x4. 33 203 904 parameters at width 1.
"""

from __future__ import annotations

from raysl.config.component import Component, later
from raysl.models.backbone_options import halved, width_option
from raysl.models.inflate_options import InflatableOptions
from raysl.models.plain_network import WITHOUT_FC, PlainNetwork, of_torchvision


class HaraR3D18Options(InflatableOptions):
    """Options of the 3D ResNet-18 of Hara et al."""

    width: float = width_option("64 channels after the stem and 512 at the end", "printed: Hara et al. 2018: 64 to 512")


def _plain(options: HaraR3D18Options) -> PlainNetwork:
    stem = (
        "network.stem[0] = torch.nn.Conv3d(3, 64, kernel_size=7, stride=(1, 2, 2), padding=3, bias=False)",
        "network.stem.append(torch.nn.MaxPool3d(kernel_size=3, stride=2, padding=1))",
    )
    changed = "the stem is 7x7x7, and a 3x3x3 max pool of stride 2 follows it (Hara et al. 2018)"
    return of_torchvision("r3d_18", options.width, WITHOUT_FC, (changed, stem))


COMPONENT = Component(
    kind="backbone",
    options=HaraR3D18Options,
    build=later("raysl.models.backbones.hara_r3d_18_network", "build"),
    timesteps=halved(4),
    plain=_plain,
)
