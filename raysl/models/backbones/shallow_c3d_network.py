"""The network of `shallow_c3d`; its options and sources stand in `raysl.models.backbones.shallow_c3d`."""

from __future__ import annotations

from torch import Tensor, nn

from raysl.models.backbone import Backbone
from raysl.models.backbone_options import stem_channels
from raysl.models.backbones.shallow_c3d import STRIDES, ShallowC3DOptions
from raysl.models.video_resnet import draw_kaiming


class ShallowC3D(Backbone):
    """``[B, 3, T, H, W]`` to ``[B, 512 * width, T / 4, H / 16, W / 16]``, sizes rounded up; clips of any size.

    Args:
        width: factor of every layer's channels.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        inputs, outputs = 3, stem_channels(width)
        layers: list[nn.Module] = []
        for stride in STRIDES:
            layers.append(nn.Conv3d(inputs, outputs, kernel_size=3, stride=stride, padding=1, bias=False))
            layers += [nn.BatchNorm3d(outputs), nn.ReLU(inplace=True)]
            inputs, outputs = outputs, 2 * outputs
        self.layers = nn.Sequential(*layers)
        self.feature_dim = inputs
        draw_kaiming(self)

    def forward(self, clips: Tensor) -> Tensor:
        features: Tensor = self.layers(clips)
        return features


def build(options: ShallowC3DOptions) -> ShallowC3D:
    return ShallowC3D(options.width)
