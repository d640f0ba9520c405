"""The R3D-50 and R3D-101 of CVRL, built by PyTorchVideo.

Qian et al. 2021, "Spatiotemporal Contrastive Video Representation Learning", https://arxiv.org/abs/2008.03800, Table 1:
the slow pathway (`slow_r50`) with a stem of 5x7x7 and stride (2, 2, 2). Its "data" row is the sampling at stride 2; no
layer after the stem strides in time. 16x224x224 gives 8x7x7. A width of 2 or 4 multiplies every layer (printed).

Parameters: 31 672 128 (depth 50), 59 577 152 (101), 126 488 192 (50, width 2), 505 552 128 (50, width 4). The paper's
31.7, 59.7, 126.6 and 505.8 M also count the moving means and variances of batch norm.

Kernels are drawn as Keras's VarianceScaling does, and every batch norm starts at 1 (code). TensorFlow pads a strided
layer at its end alone where the size is even; here both ends are padded.
"""

from __future__ import annotations

import math
from typing import Literal

from torch import Tensor, nn

from raysl.config.component import Component
from raysl.config.options import option
from raysl.models.backbone import stem_channels, width_option
from raysl.models.inflate import InflatableOptions
from raysl.models.plain_network import PlainNetwork, of_pytorchvideo
from raysl.models.slow import SlowResNet

TRUNCATED_STD = 0.87962566103423978
"""Standard deviation of a standard normal distribution cut at -2 and 2, by which Keras divides."""


class CVRLR3DOptions(InflatableOptions):
    """Options of CVRL's backbones."""

    depth: Literal[50, 101] = option(
        50, doc="how many layers the network has", unit="layers", source="printed: CVRL, Table 1"
    )
    width: float = width_option(
        "64 channels after the stem and 2048 at the end; 2 and 4 are in CVRL's Table 2",
        "printed: CVRL, Table 1: 64 to 2048 channels",
    )


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


def _build(options: CVRLR3DOptions) -> CVRLR3D:
    return CVRLR3D(options.depth, options.width)


def _plain(options: CVRLR3DOptions) -> PlainNetwork:
    origin = f"pytorchvideo.models.resnet.create_resnet, depth {options.depth}, with CVRL's stem"
    stem = "stem_conv_kernel_size=(5, 7, 7), stem_conv_stride=(2, 2, 2)"
    return of_pytorchvideo(options.depth, stem_channels(options.width), stem, options.width, origin)


COMPONENT = Component(kind="backbone", options=CVRLR3DOptions, build=_build, plain=_plain)
