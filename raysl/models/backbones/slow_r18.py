"""Slow R18: the slow pathway with an 18-layer ResNet, put together from PyTorchVideo's parts.

TaCo's smaller backbone (printed), which the paper does not determine. PySlowFast's depth 18 with its default transform
is bottlenecks (17 878 336 parameters, 2048 channels); what the name says is basic blocks of 64 to 512 channels, the
default here (inferred), with the temporal kernel on the first convolution of a block as in PySlowFast's basic transform
(20 023 872), or on both (31 820 352). Stem 1x7x7 with stride (1, 2, 2), max pool 1x3x3 with stride (1, 2, 2), kernels
span 1, 1, 3, 3 frames in the four stages, no temporal stride: 8 frames stay 8. As in `slow_r50`, the last batch norm of
every block starts at 0.
"""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from raysl.config.component import Component, later
from raysl.config.options import option
from raysl.models.backbone_options import halved, width_option
from raysl.models.inflate_options import InflatableOptions

Block = Literal["basic", "bottleneck"]
TemporalConvs = Literal["first", "both"]


class SlowR18Options(InflatableOptions):
    """Options of Slow R18."""

    width: float = width_option(
        "64 channels after the stem and 512 at the end (bottlenecks: 2048)",
        "inferred: He et al. 2016: 64 to 512 channels",
    )
    block: Block = option(
        "basic",
        doc="two basic blocks a stage, or two bottlenecks, as PySlowFast builds depth 18 by default",
        source="inferred: TaCo says R18 alone",
    )
    temporal_convs: TemporalConvs = option(
        "first",
        doc="convolutions of a basic block that span time in the last two stages",
        source="code: PySlowFast's basic transform: first",
    )

    @model_validator(mode="after")
    def _both_of_basic(self) -> SlowR18Options:
        if self.block == "bottleneck" and self.temporal_convs == "both":
            raise ValueError("temporal_convs: both is an option of basic blocks; a bottleneck's first spans time")
        return self


COMPONENT = Component(
    kind="backbone",
    options=SlowR18Options,
    build=later("raysl.models.backbones.slow_r18_network", "build"),
    timesteps=halved(0),
)
