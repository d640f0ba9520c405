"""The network of `hara_r3d_18`; its options and sources stand in `raysl.models.backbones.hara_r3d_18`."""

from __future__ import annotations

from torch import nn

from raysl.models.backbone_options import stem_channels
from raysl.models.backbones.hara_r3d_18 import HaraR3D18Options
from raysl.models.inflate import InflatableBackbone
from raysl.models.video_resnet import VideoResNet, draw_kaiming


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


def build(options: HaraR3D18Options) -> HaraR3D18:
    return HaraR3D18(options.width)
