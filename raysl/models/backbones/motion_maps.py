"""No network: where in the frame something moves. Accuracy above this baseline does not come from that alone.

On data sets of a few classes filmed in similar ways these maps beat many features that are learned from little data.
"""

from __future__ import annotations

from raysl.config.component import Component, later
from raysl.config.options import Options, option
from raysl.models.backbone_options import refuse_training


class MotionMapsOptions(Options):
    """Options of motion maps."""

    size: int = option(32, doc="height and width of a map", unit="cells", source="ours", ge=1, le=128)


COMPONENT = Component(
    kind="backbone",
    options=MotionMapsOptions,
    build=later("raysl.models.backbones.motion_maps_network", "build"),
    timesteps=lambda options, frames: 1,
    check=refuse_training("motion_maps"),
)
