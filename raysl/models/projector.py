"""The projector (projection head): a multi-layer perceptron from a pooled feature to an embedding.

Shapes: B clips, D feature channels, d embedding.
"""

from __future__ import annotations

from torch import Tensor, nn

from raysl.config.objective_sections import ProjectorOptions


class Projector(nn.Module):
    """``[B, D]`` to ``[B, d]``, not normalised.

    A hidden layer is linear (with bias unless switched off), batch norm where asked for, ReLU; the last layer is
    linear, without a bias where batch norm follows and would cancel it (code: TCLR).

    Args:
        input_dim: D.
        options: depth, widths and batch norm.

    Attributes:
        output_dim: d.
    """

    def __init__(self, input_dim: int, options: ProjectorOptions) -> None:
        super().__init__()
        self.output_dim = options.output_dim
        hidden_dim = input_dim if options.hidden_dim is None else options.hidden_dim
        layers: list[nn.Module] = []
        hidden_bias = options.bias_before_norm or options.batch_norm == "none"
        for _ in range(options.hidden_layers):
            layers.append(nn.Linear(input_dim, hidden_dim, bias=hidden_bias))
            if options.batch_norm != "none":
                layers.append(nn.BatchNorm1d(hidden_dim))
            layers.append(nn.ReLU(inplace=True))
            input_dim = hidden_dim
        normalise_output = options.batch_norm == "all"
        layers.append(nn.Linear(input_dim, options.output_dim, bias=not normalise_output))
        if normalise_output:
            layers.append(nn.BatchNorm1d(options.output_dim, affine=options.last_affine))
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        embeddings: Tensor = self.layers(features)
        return embeddings
