"""S3D-G: S3D with self-gating after every branch of its inception blocks.

Xie et al. 2018, "Rethinking Spatiotemporal Feature Learning", https://arxiv.org/abs/1712.04851; what CSTP's code
pretrains under the name S3D (code). Convolutions start from a normal distribution of standard deviation 0.01 and batch
norm is torch.nn's, as in the PyTorch port of CoCLR (Xie et al. truncate that distribution). A 16x112x112 clip gives
2x3x3. 9 098 000 parameters at width 1.
"""

from __future__ import annotations

from raysl.config.cell import CellConfig
from raysl.config.component import Component, later
from raysl.config.options import Options
from raysl.models.backbone_options import (
    WIDTH_STEP,
    check_clip,
    s3d_timesteps,
    slow_option,
    smallest_clip,
    width_option,
)


class S3DGOptions(Options):
    """Options of S3D-G."""

    width: float = width_option(
        "64 channels after the stem and 1024 at the end", "printed: Xie et al. 2018: 64 to 1024", WIDTH_STEP
    )
    slow: bool = slow_option()


def _check(options: S3DGOptions, cell: CellConfig) -> None:
    check_clip((cell.clip.frames, cell.clip.size, cell.clip.size), smallest_clip(options.slow))


COMPONENT = Component(
    kind="backbone",
    options=S3DGOptions,
    build=later("raysl.models.backbones.s3d_g_network", "build"),
    timesteps=s3d_timesteps,
    check=_check,
)
