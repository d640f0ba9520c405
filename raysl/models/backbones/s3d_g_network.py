"""The network of `s3d_g`; its options and sources stand in `raysl.models.backbones.s3d_g`."""

from __future__ import annotations

from torch import nn

from raysl.models.backbones.s3d_g import S3DGOptions
from raysl.models.s3d_network import S3DNetwork

CONVOLUTION_STD = 0.01


def build(options: S3DGOptions) -> S3DNetwork:
    network = S3DNetwork(options.width, gating=True, slow=options.slow, norm=nn.BatchNorm3d)
    for module in network.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.normal_(module.weight, std=CONVOLUTION_STD)
    return network
