"""No network: the mean colour of a clip. Accuracy above this baseline does not come from the scene's colours alone."""

from __future__ import annotations

from raysl.config.component import Component, later
from raysl.config.options import Options
from raysl.models.backbone_options import refuse_training


class MeanColourOptions(Options):
    """The mean colour has no options."""


COMPONENT = Component(
    kind="backbone",
    options=MeanColourOptions,
    build=later("raysl.models.backbones.mean_colour_network", "build"),
    timesteps=lambda options, frames: 1,
    check=refuse_training("mean_colour"),
)
