"""Features of boxes: what a network's last map shows there.

Shapes: B clips, P boxes, D channels.
"""

from __future__ import annotations

import torch
from torch import Tensor


def roi_features(feature_map: Tensor, row: Tensor, box: Tensor, size: int) -> Tensor:
    """``[P, D]``: RoIAlign of a map that is averaged over time, then the largest over space (CVRL 4.4).

    RoIAlign is linear, so that the mean over time may stand before it, where it costs less.

    Args:
        feature_map: ``[B, D, H', W']``, mean over time.
        row: ``[P]`` int64, the clip of each box.
        box: ``[P, 4]``, (left, top, right, bottom) as shares of the clip.
        size: places in height and width that RoIAlign reads a box at.
    """
    from torchvision.ops import roi_align  # seconds: not where a study is only read

    height, width = feature_map.shape[-2:]
    scale = box.new_tensor([width, height, width, height])
    regions = torch.cat([row.to(box.dtype)[:, None], box * scale], dim=1)
    found: Tensor = roi_align(feature_map.float(), regions, (size, size), aligned=True)
    return found.amax(dim=(2, 3))
