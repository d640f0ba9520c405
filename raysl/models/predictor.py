"""The predictor of BYOL and SimSiam: from one view's embedding to the other's, through a hidden layer.

Shapes: B clips, d embedding.
"""

from __future__ import annotations

from torch import Tensor, nn

from raysl.models.predictor_options import PredictorOptions


class Predictor(nn.Module):
    """``[B, d]`` to ``[B, d]``: linear, batch norm, ReLU, linear.

    Args:
        embedding_dim: d.
        options: width and bias of the hidden layer.

    Attributes:
        constant_rate: True where the schedule is to leave the learning rate of its parameters alone.
    """

    constant_rate: bool = False

    def __init__(self, embedding_dim: int, options: PredictorOptions) -> None:
        super().__init__()
        hidden_dim = max(embedding_dim // 4, 1) if options.hidden_dim is None else options.hidden_dim
        self.layers = nn.Sequential(
            nn.Linear(embedding_dim, hidden_dim, bias=options.bias_before_norm),
            nn.BatchNorm1d(hidden_dim),
            nn.ReLU(inplace=True),
            nn.Linear(hidden_dim, embedding_dim),
        )

    def forward(self, embeddings: Tensor) -> Tensor:
        predictions: Tensor = self.layers(embeddings)
        return predictions
