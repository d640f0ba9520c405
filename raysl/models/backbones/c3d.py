"""C3D with batch norm and without fully connected layers.

Tran et al. 2015, "Learning Spatiotemporal Features with 3D Convolutional Networks", https://arxiv.org/abs/1412.0767, as
VCOP changed it and CSTP and TCLR use it (code): eight 3x3x3 convolutions with bias, each with batch norm and ReLU, and
a max pool after the first, second, fourth and sixth. Weights start as torch.nn draws them (inferred). A 16x112x112 clip
gives 2x7x7. 27 661 440 parameters at width 1.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from raysl.config.cell import CellConfig
from raysl.config.component import Component
from raysl.config.options import Options, option
from raysl.models.backbone import Backbone, check_clip, scaled, width_option
from raysl.models.plain_network import PlainNetwork
from raysl.models.video_resnet import LastStageTime

GROUPS = {"1": 64, "2": 128, "3a": 256, "3b": 256, "4a": 512, "4b": 512, "5a": 512, "5b": 512}
"""Convolution to its channels at width 1."""


class C3DOptions(Options):
    """Options of C3D."""

    width: float = width_option("64 channels after the first layer and 512 at the end", "printed: Tran et al. 2015")
    last_stage_time: LastStageTime = option(
        "halved",
        doc="time steps after the last pool, before the last two convolutions: halved, or kept, as TCLR's four steps "
        "need",
        source="code: VCOP; inferred: kept, for TCLR, which does not describe C3D",
    )


def smallest_clip(last_stage_time: LastStageTime) -> tuple[int, int]:
    """The smallest frames and pixels that four poolings do not reduce to nothing."""
    return 8 if last_stage_time == "halved" else 4, 16


class C3D(Backbone):
    """C3D up to its last convolution; modules are named as in VCOP's code.

    The smallest clip is 8x16x16, or 4x16x16 where the last stage keeps time.

    Args:
        width: factor of every layer's channels.
        last_stage_time: ``kept`` gives T / 4.
    """

    def __init__(self, width: float = 1.0, last_stage_time: LastStageTime = "halved") -> None:
        super().__init__()
        last = 2 if last_stage_time == "halved" else 1
        pools = {"1": ("pool1", 1), "2": ("pool2", 2), "3b": ("pool3", 2), "4b": ("pool4", last)}
        inputs = 3
        for name, channels in GROUPS.items():
            outputs = scaled(channels, width)
            self.add_module(f"conv{name}", nn.Conv3d(inputs, outputs, kernel_size=3, padding=1))
            self.add_module(f"bn{name}", nn.BatchNorm3d(outputs))
            self.add_module(f"relu{name}", nn.ReLU(inplace=True))
            if name in pools:
                pool, time = pools[name]
                self.add_module(pool, nn.MaxPool3d((time, 2, 2)))
            inputs = outputs
        self.feature_dim = inputs
        self._smallest = smallest_clip(last_stage_time)

    def forward(self, clips: Tensor) -> Tensor:
        """``[B, 3, T, H, W]`` to ``[B, 512 * width, T / 8, H / 16, W / 16]``, sizes rounded down.

        Raises:
            ConfigError: the clip is too small.
        """
        check_clip(clips.shape[2:], self._smallest)
        for layer in self.children():
            clips = layer(clips)
        return clips


def _build(options: C3DOptions) -> C3D:
    return C3D(options.width, options.last_stage_time)


def _check(options: C3DOptions, cell: CellConfig) -> None:
    check_clip((cell.clip.frames, cell.clip.size, cell.clip.size), smallest_clip(options.last_stage_time))


def _plain(options: C3DOptions) -> PlainNetwork:
    channels = [3, *(scaled(outputs, options.width) for outputs in GROUPS.values())]
    sizes = dict(zip(GROUPS, pairwise(channels), strict=True))
    last = 2 if options.last_stage_time == "halved" else 1
    return PlainNetwork(
        origin="torch.nn.Sequential",
        imports=(),
        build=(
            f"sizes = {sizes}",
            f'pools = {{"1": 1, "2": 2, "3b": 2, "4b": {last}}}  # of time; of space 2',
            "network = torch.nn.Sequential()",
            "for name, (i, o) in sizes.items():",
            '    network.add_module(f"conv{name}", torch.nn.Conv3d(i, o, kernel_size=3, padding=1))',
            '    network.add_module(f"bn{name}", torch.nn.BatchNorm3d(o))',
            '    network.add_module(f"relu{name}", torch.nn.ReLU())',
            "    if name in pools:",
            '        network.add_module(f"pool{name}", torch.nn.MaxPool3d((pools[name], 2, 2)))',
        ),
        pools=False,
    )


COMPONENT = Component(kind="backbone", options=C3DOptions, build=_build, plain=_plain, check=_check)
