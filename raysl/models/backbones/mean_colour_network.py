"""The network of `mean_colour`; its options and sources stand in `raysl.models.backbones.mean_colour`."""

from __future__ import annotations

from torch import Tensor

from raysl.models.backbone import Backbone
from raysl.models.backbones.mean_colour import MeanColourOptions


class MeanColour(Backbone):
    """``[B, 3, T, H, W]`` to the mean over the clip, ``[B, 3, 1, 1, 1]``, in the units of the input; no weights."""

    feature_dim = 3

    def forward(self, clips: Tensor) -> Tensor:
        return clips.mean(dim=(2, 3, 4), keepdim=True)


def build(options: MeanColourOptions) -> MeanColour:
    return MeanColour()
