"""The R(2+1)D of VCOP, PRP, PacePred and CSTP: one block a stage, every convolution factorised.

Xu et al. 2019, "Self-supervised Spatiotemporal Learning via Video Clip Order Prediction", CVPR 2019 (code); CSTP's
backbone by its code, and TCLR's by one appendix of its text. It differs from `r2plus1d_18` in more than its depth:
M = floor(t d d i o / (d d i + t o)) is computed for each convolution (t x d x d, i inputs, o outputs), the stem's 83
included, and the 1x1x1 shortcut is factorised too. Weights start as torch.nn draws them. A 16x112x112 clip gives
2x7x7. 14 365 303 parameters at width 1.
"""

from __future__ import annotations

from raysl.config.component import Component, later
from raysl.config.options import Options
from raysl.models.backbone_options import LastStageTime, halved, last_stage_option, width_option


class VcopR2Plus1DOptions(Options):
    """Options of the R(2+1)D of VCOP."""

    width: float = width_option(
        "64 channels after the stem and 512 at the end; the channels within a factorised convolution are rounded down",
        "code: VCOP: 64 to 512",
    )
    last_stage_time: LastStageTime = last_stage_option()


COMPONENT = Component(
    kind="backbone",
    options=VcopR2Plus1DOptions,
    build=later("raysl.models.backbones.vcop_r2plus1d_network", "build"),
    timesteps=halved(3),
)
