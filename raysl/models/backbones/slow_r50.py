"""Slow R50: the slow pathway of SlowFast alone, built by PyTorchVideo.

Feichtenhofer et al. 2019, "SlowFast Networks for Video Recognition", https://arxiv.org/abs/1812.03982;
used by TaCo (printed). Stem 1x7x7 with stride (1, 2, 2), max pool 1x3x3 with stride (1, 2, 2), bottlenecks whose first
convolution spans 1, 1, 3, 3 frames in the four stages, no temporal stride: 8 frames stay 8. 31 634 496 parameters at
width 1. As PyTorchVideo initialises it (code), the last batch norm of every block starts at 0: each block is its
shortcut.
"""

from __future__ import annotations

from raysl.config.component import Component, later
from raysl.models.backbone_options import halved, stem_channels, width_option
from raysl.models.inflate_options import InflatableOptions
from raysl.models.plain_network import PlainNetwork, of_pytorchvideo


class SlowR50Options(InflatableOptions):
    """Options of Slow R50."""

    width: float = width_option(
        "64 channels after the stem and 2048 at the end",
        "printed: Feichtenhofer et al. 2019, Table 1: 64 to 2048 channels",
    )


def _plain(options: SlowR50Options) -> PlainNetwork:
    origin = "pytorchvideo.models.hub.slow_r50"
    stem = "stem_conv_kernel_size=(1, 7, 7)"
    return of_pytorchvideo(50, stem_channels(options.width), stem, options.width, origin)


COMPONENT = Component(
    kind="backbone",
    options=SlowR50Options,
    build=later("raysl.models.backbones.slow_r50_network", "build"),
    timesteps=halved(0),
    plain=_plain,
)
