"""Losses without negatives: the prediction from one view is turned towards the other view's embedding.

Chen and He 2021 (SimSiam), https://arxiv.org/abs/2011.10566, Eq. 1; Grill et al. 2020 (BYOL),
https://arxiv.org/abs/2006.07733, Eq. 2. Shapes: B videos of this rank, d embedding.
"""

from __future__ import annotations

import torch
from torch import Tensor

from raysl.objectives.losses.nt_xent import unit_rows


def negative_cosine(prediction: Tensor, target: Tensor) -> Tensor:
    """Minus the mean cosine of ``[B, d]`` rows: -1 where directions agree, 0 orthogonal, 1 opposite.

    The target gets no gradient. Computed in float32 or better; rows may have any length.

    Raises:
        ValueError: the shapes differ.
    """
    if prediction.shape != target.shape or prediction.ndim != 2:
        raise ValueError(
            f"prediction and target must both be [B, d], got {list(prediction.shape)} and {list(target.shape)}"
        )
    with torch.autocast(prediction.device.type, enabled=False):
        return -(unit_rows(prediction) * unit_rows(target.detach())).sum(dim=1).mean()


def squared_distance(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean squared distance of the rows brought to length 1, ``2 - 2 cos``: 0 equal, 2 orthogonal, 4 opposite."""
    return 2 + 2 * negative_cosine(prediction, target)
