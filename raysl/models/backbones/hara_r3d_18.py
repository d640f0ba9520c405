"""The 3D ResNet-18 of Hara et al.: an image ResNet-18 with cubes for kernels.

Hara et al. 2018, "Can Spatiotemporal 3D CNNs Retrace the History of 2D CNNs and ImageNet?",
https://arxiv.org/abs/1711.09577, with shortcut type B as the authors' code builds it for 16 frames (code): stem 7x7x7
with stride (1, 2, 2), max pool 3x3x3 with stride 2, four stages of two basic blocks, stages 2 to 4 halve time, height
and width. An option for CSTP's R3D. A 16x112x112 clip gives 1x4x4. 33 203 904 parameters at width 1.
"""

from __future__ import annotations

from torch import nn

from raysl.config.component import Component
from raysl.models.backbone import stem_channels, width_option
from raysl.models.inflate import InflatableBackbone, InflatableOptions
from raysl.models.plain_network import WITHOUT_FC, PlainNetwork, of_torchvision
from raysl.models.video_resnet import VideoResNet, draw_kaiming


class HaraR3D18Options(InflatableOptions):
    """Options of the 3D ResNet-18 of Hara et al."""

    width: float = width_option("64 channels after the stem and 512 at the end", "printed: Hara et al. 2018: 64 to 512")


class HaraR3D18(VideoResNet, InflatableBackbone):
    """3D ResNet-18 of Hara et al. without pooling and classifier.

    ``[B, 3, T, H, W]`` to ``[B, 512 * width, T / 16, H / 32, W / 32]``, sizes rounded up; clips of any size.

    Args:
        width: factor of every layer's channels.
    """

    image_network = "ResNet-18"

    def __init__(self, width: float = 1.0) -> None:
        channels = stem_channels(width)
        stem = nn.Sequential(
            nn.Conv3d(3, channels, kernel_size=7, stride=(1, 2, 2), padding=3, bias=False),
            nn.BatchNorm3d(channels),
            nn.ReLU(inplace=True),
            nn.MaxPool3d(kernel_size=3, stride=2, padding=1),
        )
        super().__init__(channels, stem, ["Conv3DSimple"] * 4)
        draw_kaiming(self)

    def image_name(self, name: str) -> str:
        for ours, theirs in (("stem.0.", "conv1."), ("stem.1.", "bn1.")):
            name = name.replace(ours, theirs)
        # A block holds its two convolutions each with its batch norm: conv1.0, conv1.1, conv2.0, conv2.1.
        for number in ("1", "2"):
            name = name.replace(f".conv{number}.0.", f".conv{number}.").replace(f".conv{number}.1.", f".bn{number}.")
        return name


def _build(options: HaraR3D18Options) -> HaraR3D18:
    return HaraR3D18(options.width)


def _plain(options: HaraR3D18Options) -> PlainNetwork:
    stem = (
        "network.stem[0] = torch.nn.Conv3d(3, 64, kernel_size=7, stride=(1, 2, 2), padding=3, bias=False)",
        "network.stem.append(torch.nn.MaxPool3d(kernel_size=3, stride=2, padding=1))",
    )
    changed = "the stem is 7x7x7, and a 3x3x3 max pool of stride 2 follows it (Hara et al. 2018)"
    return of_torchvision("r3d_18", options.width, WITHOUT_FC, (changed, stem))


COMPONENT = Component(kind="backbone", options=HaraR3D18Options, build=_build, plain=_plain)
