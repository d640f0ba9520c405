"""C3D with batch norm and without fully connected layers.

Tran et al. 2015, "Learning Spatiotemporal Features with 3D Convolutional Networks", https://arxiv.org/abs/1412.0767, as
VCOP changed it and CSTP and TCLR use it (code): eight 3x3x3 convolutions with bias, each with batch norm and ReLU, and
a max pool after the first, second, fourth and sixth. Weights start as torch.nn draws them (inferred). A 16x112x112 clip
gives 2x7x7. 27 661 440 parameters at width 1.
"""

from __future__ import annotations

from itertools import pairwise

from raysl.config.cell import CellConfig
from raysl.config.component import Component, later
from raysl.config.options import Options, option
from raysl.models.backbone_options import LastStageTime, check_clip, scaled, width_option
from raysl.models.plain_network import PlainNetwork

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


def _check(options: C3DOptions, cell: CellConfig) -> None:
    check_clip((cell.clip.frames, cell.clip.size, cell.clip.size), smallest_clip(options.last_stage_time))


def _timesteps(options: C3DOptions, frames: int) -> int:
    return frames // smallest_clip(options.last_stage_time)[0]


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


COMPONENT = Component(
    kind="backbone",
    options=C3DOptions,
    build=later("raysl.models.backbones.c3d_network", "build"),
    timesteps=_timesteps,
    plain=_plain,
    check=_check,
)
