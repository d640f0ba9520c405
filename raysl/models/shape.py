"""The shape of a backbone's feature maps, without computing one."""

from __future__ import annotations

import torch
from torch.func import functional_call

from raysl.models.backbone import Backbone


def feature_shape(backbone: Backbone, frames: int, size: int) -> tuple[int, int, int, int]:
    """``(D, T', H', W')`` of the feature map of a clip ``[3, frames, size, size]``.

    Args:
        backbone: on any device; not changed.

    Raises:
        ConfigError: the clip is too small for the backbone.
    """
    state = {name: value.to("meta") for name, value in backbone.state_dict().items()}
    was_training = backbone.training
    backbone.eval()
    try:
        with torch.no_grad():
            feature_map = functional_call(backbone, state, (torch.empty(1, 3, frames, size, size, device="meta"),))
    finally:
        backbone.train(was_training)
    channels, *sizes = feature_map.shape[1:]
    time, height, width = sizes
    return channels, time, height, width
