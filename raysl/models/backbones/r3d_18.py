"""R3D-18 of torchvision: 18 layers, full 3-D convolutions.

Tran et al. 2018, "A Closer Look at Spatiotemporal Convolutions for Action Recognition", https://arxiv.org/abs/1711.11248,
as torchvision builds it [C]: stem 3x7x7 with stride (1, 2, 2) and no max pool, four stages of two basic blocks, stages
2 to 4 halve time, height and width. A 16x112x112 clip gives 2x7x7. 33 166 272 parameters at width 1.
"""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.models.video.resnet import BasicBlock, Conv3DSimple

from raysl.config.component import Component
from raysl.config.options import Options, option
from raysl.models.backbone import Backbone, stem_channels


class R3D18Options(Options):
    """Options of R3D-18."""

    width: float = option(
        1.0,
        doc="factor of every layer's channels; 1 is 64 channels after the stem and 512 at the end",
        source="[P] Tran et al. 2018: 64 to 512 channels",
        ge=1 / 64,
        le=8,
        multiple_of=1 / 64,
    )


class R3D18(Backbone):
    """R3D-18 without pooling and classifier; modules are named as in torchvision, so its weights load at width 1.

    Args:
        width: factor of every layer's channels.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        channels = stem_channels(width)
        self.stem = nn.Sequential(
            nn.Conv3d(3, channels, kernel_size=(3, 7, 7), stride=(1, 2, 2), padding=(1, 3, 3), bias=False),
            nn.BatchNorm3d(channels),
            nn.ReLU(inplace=True),
        )
        self.layer1 = _stage(channels, channels, stride=1)
        self.layer2 = _stage(channels, 2 * channels, stride=2)
        self.layer3 = _stage(2 * channels, 4 * channels, stride=2)
        self.layer4 = _stage(4 * channels, 8 * channels, stride=2)
        self.feature_dim = 8 * channels
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, clips: Tensor) -> Tensor:
        """``[B, 3, T, H, W]`` to ``[B, 512 * width, T / 8, H / 16, W / 16]``, sizes rounded up."""
        features = self.layer2(self.layer1(self.stem(clips)))
        result: Tensor = self.layer4(self.layer3(features))
        return result


def _stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    shortcut = None
    if stride != 1 or inputs != outputs:
        shortcut = nn.Sequential(
            nn.Conv3d(inputs, outputs, kernel_size=1, stride=stride, bias=False), nn.BatchNorm3d(outputs)
        )
    first = BasicBlock(inputs, outputs, Conv3DSimple, stride, shortcut)
    return nn.Sequential(first, BasicBlock(outputs, outputs, Conv3DSimple))


def _build(options: R3D18Options) -> R3D18:
    return R3D18(options.width)


COMPONENT = Component(kind="backbone", options=R3D18Options, build=_build)
