"""S3D: an Inception network with convolutions separated into space and time.

Xie et al. 2018, "Rethinking Spatiotemporal Feature Learning", https://arxiv.org/abs/1712.04851, in torchvision's layout
(code); used by SSTL and, by its text, CSTP (whose code pretrains `s3d_g`). A 16x112x112 clip gives 2x3x3, a
16x224x224 clip 2x7x7. 7 910 048 parameters at width 1.
"""

from __future__ import annotations

from raysl.config.cell import CellConfig
from raysl.config.component import Component, later
from raysl.config.options import Options, option
from raysl.models.backbone_options import (
    WIDTH_STEP,
    check_clip,
    s3d_timesteps,
    slow_option,
    smallest_clip,
    width_option,
)
from raysl.models.plain_network import PlainNetwork, of_torchvision


class S3DOptions(Options):
    """Options of S3D."""

    width: float = width_option(
        "64 channels after the stem and 1024 at the end", "printed: Xie et al. 2018: 64 to 1024", WIDTH_STEP
    )
    slow: bool = slow_option()
    batch_norm_momentum: float = option(
        0.1,
        doc="weight of the newest batch in the running statistics; torchvision's 0.001 (code) needs thousands of steps "
        "before evaluation sees the statistics of the data",
        unit="share",
        source="ours: torch.nn's own; code: torchvision 0.001",
        gt=0,
        le=1,
    )


def _check(options: S3DOptions, cell: CellConfig) -> None:
    check_clip((cell.clip.frames, cell.clip.size, cell.clip.size), smallest_clip(options.slow))


def _plain(options: S3DOptions) -> PlainNetwork:
    slow = ("no temporal stride in the stem", ("network.features[0][1][0].stride = (1, 1, 1)",))
    head = ("network.avgpool = network.classifier = torch.nn.Identity()",)
    return of_torchvision("s3d", options.width, head, *([slow] if options.slow else []))


COMPONENT = Component(
    kind="backbone",
    options=S3DOptions,
    build=later("raysl.models.backbones.s3d_network", "build"),
    timesteps=s3d_timesteps,
    plain=_plain,
    check=_check,
)
