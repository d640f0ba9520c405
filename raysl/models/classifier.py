"""The linear classifier on a pooled feature.

Shapes: B clips, D feature channels, P classes.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from raysl.models.backbone_options import FeatureNorm


class Classifier(nn.Module):
    """``[B, D]`` to logits ``[B, P]``: normalisation, dropout, one linear layer.

    The layer's weights are drawn from N(0, 0.01), its bias is zero (code: PySlowFast): every class is equally likely at
    first.

    Args:
        feature_dim: D.
        classes: P.
        feature_norm: ``l2``: the feature is brought to unit length (CVRL, linear evaluation); ``l2_batch_norm``: batch
            norm after that (code: CSTP, after CoCLR).
    """

    def __init__(self, feature_dim: int, classes: int, feature_norm: FeatureNorm = "none") -> None:
        super().__init__()
        self.unit_length = feature_norm != "none"
        self.norm = nn.BatchNorm1d(feature_dim) if feature_norm == "l2_batch_norm" else nn.Identity()
        self.linear = nn.Linear(feature_dim, classes)
        nn.init.normal_(self.linear.weight, std=0.01)
        nn.init.zeros_(self.linear.bias)

    def forward(self, features: Tensor, kept: Tensor | None = None) -> Tensor:
        """``kept``: ``[B, D]`` factors of the normalised feature (dropout); None: all of it."""
        if self.unit_length:
            features = F.normalize(features, dim=1)
        features = self.norm(features)
        logits: Tensor = self.linear(features if kept is None else features * kept)
        return logits
