"""S3D-G: S3D with self-gating after every branch of its inception blocks.

Xie et al. 2018, "Rethinking Spatiotemporal Feature Learning", https://arxiv.org/abs/1712.04851; what CSTP's code
pretrains under the name S3D (code). Convolutions start from a normal distribution of standard deviation 0.01 and batch
norm is torch.nn's, as in the PyTorch port of CoCLR (Xie et al. truncate that distribution). A 16x112x112 clip gives
2x3x3. 9 098 000 parameters at width 1.
"""

from __future__ import annotations

from torch import nn

from raysl.config.cell import CellConfig
from raysl.config.component import Component
from raysl.config.options import Options
from raysl.models.backbone import check_clip, width_option
from raysl.models.s3d_network import WIDTH_STEP, S3DNetwork, slow_option, smallest_clip

CONVOLUTION_STD = 0.01


class S3DGOptions(Options):
    """Options of S3D-G."""

    width: float = width_option(
        "64 channels after the stem and 1024 at the end", "printed: Xie et al. 2018: 64 to 1024", WIDTH_STEP
    )
    slow: bool = slow_option()


def _build(options: S3DGOptions) -> S3DNetwork:
    network = S3DNetwork(options.width, gating=True, slow=options.slow, norm=nn.BatchNorm3d)
    for module in network.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.normal_(module.weight, std=CONVOLUTION_STD)
    return network


def _check(options: S3DGOptions, cell: CellConfig) -> None:
    check_clip((cell.clip.frames, cell.clip.size, cell.clip.size), smallest_clip(options.slow))


COMPONENT = Component(kind="backbone", options=S3DGOptions, build=_build, check=_check)
