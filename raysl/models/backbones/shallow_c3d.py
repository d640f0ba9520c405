"""A shallow 3D network of ours: four convolutions, for small clips on CPUs.

Four 3x3x3 convolutions, each with batch norm and ReLU; the first halves height and width, the next two time as well,
the last height and width. There are no residual branches and no pools. Motion of a pixel or two a frame shows in a few
layers: at width 1/8 a step of 64 clips of 8x24x24 takes 0.04 s of one core, of `r3d_18` with its max pool 0.09.
An 8x24x24 clip gives 2x2x2. 4 651 968 parameters at width 1.
"""

from __future__ import annotations

from raysl.config.component import Component, later
from raysl.config.options import Options
from raysl.models.backbone_options import halved, stem_channels, width_option
from raysl.models.plain_network import PlainNetwork

STRIDES = ((1, 2, 2), (2, 2, 2), (2, 2, 2), (1, 2, 2))


class ShallowC3DOptions(Options):
    """Options of the shallow network."""

    width: float = width_option("64 channels after the first layer and 512 at the end", "ours: the stages of R3D-18")


def _plain(options: ShallowC3DOptions) -> PlainNetwork:
    channels = [3, *(stem_channels(options.width) * 2**stage for stage in range(len(STRIDES)))]
    return PlainNetwork(
        origin="torch.nn.Sequential",
        imports=("from torch.nn import BatchNorm3d, Conv3d, ReLU",),
        build=(
            f"sizes = zip({channels[:-1]}, {channels[1:]}, {STRIDES})",
            "network = torch.nn.Sequential(*(layer for i, o, stride in sizes for layer in (",
            "    Conv3d(i, o, kernel_size=3, stride=stride, padding=1, bias=False), BatchNorm3d(o), ReLU())))",
        ),
        pools=False,
        prefix="layers.",
    )


COMPONENT = Component(
    kind="backbone",
    options=ShallowC3DOptions,
    build=later("raysl.models.backbones.shallow_c3d_network", "build"),
    timesteps=halved(2),
    plain=_plain,
)
