"""Slow R50: the slow pathway of SlowFast alone, built by PyTorchVideo.

Feichtenhofer et al. 2019, "SlowFast Networks for Video Recognition", https://arxiv.org/abs/1812.03982;
used by TaCo (printed). Stem 1x7x7 with stride (1, 2, 2), max pool 1x3x3 with stride (1, 2, 2), bottlenecks whose first
convolution spans 1, 1, 3, 3 frames in the four stages, no temporal stride: 8 frames stay 8. 31 634 496 parameters at
width 1. As PyTorchVideo initialises it (code), the last batch norm of every block starts at 0: each block is its
shortcut.
"""

from __future__ import annotations

from raysl.config.component import Component
from raysl.models.backbone import stem_channels, width_option
from raysl.models.inflate import InflatableOptions
from raysl.models.plain_network import PlainNetwork, of_pytorchvideo
from raysl.models.slow import SlowResNet


class SlowR50Options(InflatableOptions):
    """Options of Slow R50."""

    width: float = width_option(
        "64 channels after the stem and 2048 at the end",
        "printed: Feichtenhofer et al. 2019, Table 1: 64 to 2048 channels",
    )


class SlowR50(SlowResNet):
    """Slow R50 without pooling and classifier.

    ``[B, 3, T, H, W]`` to ``[B, 2048 * width, T, H / 32, W / 32]``, sizes rounded up; clips of any size.

    Args:
        width: factor of every layer's channels.
    """

    def __init__(self, width: float = 1.0) -> None:
        from pytorchvideo.models.resnet import create_resnet  # as in `raysl.models.video_resnet`

        channels = stem_channels(width)
        network = create_resnet(
            model_depth=50,
            stem_dim_out=channels,
            stem_conv_kernel_size=(1, 7, 7),
            stage_conv_a_kernel_size=((1, 1, 1), (1, 1, 1), (3, 1, 1), (3, 1, 1)),
            head=None,
        )
        super().__init__(network, 32 * channels, "ResNet-50")


def _build(options: SlowR50Options) -> SlowR50:
    return SlowR50(options.width)


def _plain(options: SlowR50Options) -> PlainNetwork:
    origin = "pytorchvideo.models.hub.slow_r50"
    stem = "stem_conv_kernel_size=(1, 7, 7)"
    return of_pytorchvideo(50, stem_channels(options.width), stem, options.width, origin)


COMPONENT = Component(kind="backbone", options=SlowR50Options, build=_build, plain=_plain)
