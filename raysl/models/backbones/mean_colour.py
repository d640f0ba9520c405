"""No network: the mean colour of a clip. Accuracy above this baseline does not come from the scene's colours alone."""

from __future__ import annotations

from torch import Tensor

from raysl.config.component import Component
from raysl.config.options import Options
from raysl.models.backbone import Backbone, refuse_training


class MeanColourOptions(Options):
    """The mean colour has no options."""


class MeanColour(Backbone):
    """``[B, 3, T, H, W]`` to the mean over the clip, ``[B, 3, 1, 1, 1]``, in the units of the input; no weights."""

    feature_dim = 3

    def forward(self, clips: Tensor) -> Tensor:
        return clips.mean(dim=(2, 3, 4), keepdim=True)


def _build(options: MeanColourOptions) -> MeanColour:
    return MeanColour()


COMPONENT = Component(kind="backbone", options=MeanColourOptions, build=_build, check=refuse_training("mean_colour"))
