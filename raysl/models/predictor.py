"""The predictor of BYOL and SimSiam: from one view's embedding to the other's, through a hidden layer.

Shapes: B clips, d embedding.
"""

from __future__ import annotations

from torch import Tensor, nn

from raysl.config.options import Options, option


class PredictorOptions(Options):
    """Options of a predictor."""

    hidden_dim: int | None = option(
        None,
        doc="channels of the hidden layer; null: a quarter of the embedding's",
        unit="channels",
        source="printed: SimSiam 4.4: a quarter; BYOL App. J: 4096",
        ge=1,
        le=65536,
    )
    bias_before_norm: bool = option(
        True,
        doc="whether the hidden layer has a bias, which its batch norm cancels",
        source="code: BYOL, CSTP: on; SimSiam: off",
    )


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
