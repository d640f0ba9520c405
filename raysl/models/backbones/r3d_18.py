"""R3D-18 of torchvision: 18 layers, full 3-D convolutions.

Tran et al. 2018, "A Closer Look at Spatiotemporal Convolutions for Action Recognition",
https://arxiv.org/abs/1711.11248, as torchvision builds it (code): stem 3x7x7 with stride (1, 2, 2) and no max pool,
four stages of two basic blocks, stages 2 to 4 halve time, height and width. A 16x112x112 clip gives 2x7x7, with
``last_stage_time: kept`` (TCLR) 4x7x7, with ``max_pool`` (SSTL) 1x4x4. 33 166 272 parameters at width 1.
"""

from __future__ import annotations

from raysl.config.component import Component, later
from raysl.config.options import Options, option
from raysl.models.backbone_options import LastStageTime, halved, last_stage_option, width_option
from raysl.models.plain_network import WITHOUT_FC, Change, PlainNetwork, kept_time, of_torchvision


class R3D18Options(Options):
    """Options of R3D-18."""

    width: float = width_option("64 channels after the stem and 512 at the end", "printed: Tran et al. 2018: 64 to 512")
    last_stage_time: LastStageTime = last_stage_option()
    max_pool: bool = option(
        False,
        doc="whether a 3x3x3 max pool of stride 2 follows the stem and halves time, height and width",
        source="code: torchvision: none; printed: SSTL: on; inferred: its size, and that time is halved too",
    )


def _timesteps(options: R3D18Options, frames: int) -> int:
    return halved(4 if options.max_pool else 3)(options, frames)


def _plain(options: R3D18Options) -> PlainNetwork:
    changes: list[Change] = []
    if options.max_pool:
        pool = "network.stem.append(torch.nn.MaxPool3d(kernel_size=3, stride=2, padding=1))"
        changes.append(("a 3x3x3 max pool of stride 2 follows the stem", (pool,)))
    if options.last_stage_time == "kept":
        changes.append(kept_time("network.layer4[0].conv1[0]", (2, 1, 1), (1, 2, 2)))
    return of_torchvision("r3d_18", options.width, WITHOUT_FC, *changes)


COMPONENT = Component(
    kind="backbone",
    options=R3D18Options,
    build=later("raysl.models.backbones.r3d_18_network", "build"),
    timesteps=_timesteps,
    plain=_plain,
)
