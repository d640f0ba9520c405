"""The R3D of VCOP, PRP, PacePred and CSTP: R3D with one block a stage, nine convolutions deep.

Xu et al. 2019, "Self-supervised Spatiotemporal Learning via Video Clip Order Prediction", CVPR 2019 (code); called
R3D-18 there and in what followed. The stem and the stages are those of `r3d_18`, each stage one basic block; weights
start as torch.nn draws them. A 16x112x112 clip gives 2x7x7. 14 361 792 parameters at width 1.
"""

from __future__ import annotations

from raysl.config.component import Component, later
from raysl.config.options import Options
from raysl.models.backbone_options import LastStageTime, halved, last_stage_option, width_option
from raysl.models.plain_network import WITHOUT_FC, Change, PlainNetwork, kept_time, of_torchvision


class VcopR3DOptions(Options):
    """Options of the R3D of VCOP."""

    width: float = width_option("64 channels after the stem and 512 at the end", "code: VCOP: 64 to 512")
    last_stage_time: LastStageTime = last_stage_option()


def _plain(options: VcopR3DOptions) -> PlainNetwork:
    one_block = ("for stage in (network.layer1, network.layer2, network.layer3, network.layer4):", "    del stage[1]")
    changes: list[Change] = [("every stage has one block", one_block)]
    if options.last_stage_time == "kept":
        changes.append(kept_time("network.layer4[0].conv1[0]", (2, 1, 1), (1, 2, 2)))
    return of_torchvision("r3d_18", options.width, WITHOUT_FC, *changes)


COMPONENT = Component(
    kind="backbone",
    options=VcopR3DOptions,
    build=later("raysl.models.backbones.vcop_r3d_network", "build"),
    timesteps=halved(3),
    plain=_plain,
)
