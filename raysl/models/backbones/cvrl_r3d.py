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

from typing import Literal

from raysl.config.component import Component, later
from raysl.config.options import option
from raysl.models.backbone_options import halved, stem_channels, width_option
from raysl.models.inflate_options import InflatableOptions
from raysl.models.plain_network import PlainNetwork, of_pytorchvideo


class CVRLR3DOptions(InflatableOptions):
    """Options of CVRL's backbones."""

    depth: Literal[50, 101] = option(
        50, doc="how many layers the network has", unit="layers", source="printed: CVRL, Table 1"
    )
    width: float = width_option(
        "64 channels after the stem and 2048 at the end; 2 and 4 are in CVRL's Table 2",
        "printed: CVRL, Table 1: 64 to 2048 channels",
    )


def _plain(options: CVRLR3DOptions) -> PlainNetwork:
    origin = f"pytorchvideo.models.resnet.create_resnet, depth {options.depth}, with CVRL's stem"
    stem = "stem_conv_kernel_size=(5, 7, 7), stem_conv_stride=(2, 2, 2)"
    return of_pytorchvideo(options.depth, stem_channels(options.width), stem, options.width, origin)


COMPONENT = Component(
    kind="backbone",
    options=CVRLR3DOptions,
    build=later("raysl.models.backbones.cvrl_r3d_network", "build"),
    timesteps=halved(1),
    plain=_plain,
)
