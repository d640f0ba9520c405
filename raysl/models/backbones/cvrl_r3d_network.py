"""The network of `cvrl_r3d`; its options and sources stand in `raysl.models.backbones.cvrl_r3d`."""

from __future__ import annotations

import math
from typing import Literal

from torch import Tensor, nn

from raysl.models.backbone_options import stem_channels
from raysl.models.backbones.cvrl_r3d import CVRLR3DOptions
from raysl.models.slow import SlowResNet

TRUNCATED_STD = 0.87962566103423978
"""Standard deviation of a standard normal distribution cut at -2 and 2, by which Keras divides."""


class CVRLR3D(SlowResNet):
    """R3D of CVRL without pooling and classifier.

    ``[B, 3, T, H, W]`` to ``[B, 2048 * width, T / 2, H / 32, W / 32]``, sizes rounded up; clips of any size.

    Args:
        depth: 50 or 101.
        width: factor of every layer's channels.
    """

    def __init__(self, depth: Literal[50, 101] = 50, width: float = 1.0) -> None:
        from pytorchvideo.models.resnet import create_resnet  # as in `raysl.models.video_resnet`

        channels = stem_channels(width)
        network = create_resnet(
            model_depth=depth,
            stem_dim_out=channels,
            stem_conv_kernel_size=(5, 7, 7),
            stem_conv_stride=(2, 2, 2),
            stage_conv_a_kernel_size=((1, 1, 1), (1, 1, 1), (3, 1, 1), (3, 1, 1)),
            head=None,
        )
        super().__init__(network, 32 * channels, f"ResNet-{depth}")
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                draw_variance_scaling(module.weight)
            elif isinstance(module, nn.BatchNorm3d):
                nn.init.ones_(module.weight)


def draw_variance_scaling(kernel: Tensor) -> None:
    """Keras's VarianceScaling: normal, cut at two standard deviations, of variance 1 / fan-in; in place.

    Args:
        kernel: ``[O, I, T, H, W]``.
    """
    std = math.sqrt(1 / kernel[0].numel()) / TRUNCATED_STD
    nn.init.trunc_normal_(kernel, std=std, a=-2 * std, b=2 * std)


def build(options: CVRLR3DOptions) -> CVRLR3D:
    return CVRLR3D(options.depth, options.width)
