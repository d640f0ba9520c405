"""The heads of pretext tasks: from the pooled features of one or several clips to logits, or to an embedding.

Shapes: B videos, C clips of a task, D feature channels, K classes, d embedding.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from raysl.objectives.tasks.task_options import HeadOptions


class TaskHead(nn.Module):
    """``[B, input_dim]`` to logits ``[B, K]``."""

    def __init__(self, input_dim: int, classes: int, options: HeadOptions) -> None:
        super().__init__()
        self.options = options
        hidden_dim = input_dim if options.hidden_dim is None else options.hidden_dim
        layers: list[nn.Module] = []
        for _ in range(options.hidden_layers):
            layers.append(nn.Linear(input_dim, hidden_dim))
            if options.activation == "batch_norm_relu":
                layers.append(nn.BatchNorm1d(hidden_dim))
            if options.activation != "none":
                layers.append(nn.ReLU(inplace=True))
            input_dim = hidden_dim
        layers.append(nn.Linear(input_dim, classes))
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.layers(features)
        if self.options.logits == "free":
            return logits
        unit = F.normalize(logits, dim=1)
        return unit * self.options.scale if self.options.logits == "scaled" else unit


class TaskProjection(nn.Module):
    """A task's projection for the contrastive loss (TaCo 3.3): ``[B, C, D]`` to ``[B, d]``, not normalised.

    A linear layer for each clip, the same for all, side by side at length 1, a linear layer.

    Args:
        feature_dim: D. clips: C. hidden_dim: of the first layer, for each clip. output_dim: d.
    """

    def __init__(self, feature_dim: int, clips: int, hidden_dim: int, output_dim: int) -> None:
        super().__init__()
        self.each = nn.Linear(feature_dim, hidden_dim)
        self.joint = nn.Linear(clips * hidden_dim, output_dim)

    def forward(self, features: Tensor) -> Tensor:
        embeddings: Tensor = self.joint(F.normalize(self.each(features).flatten(1), dim=1))
        return embeddings
