"""The network of `s3d`; its options and sources stand in `raysl.models.backbones.s3d`."""

from __future__ import annotations

from functools import partial

from torch import nn

from raysl.models.backbones.s3d import S3DOptions
from raysl.models.s3d_network import S3DNetwork


def build(options: S3DOptions) -> S3DNetwork:
    norm = partial(nn.BatchNorm3d, eps=1e-3, momentum=options.batch_norm_momentum)
    return S3DNetwork(options.width, gating=False, slow=options.slow, norm=norm)
