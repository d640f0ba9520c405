"""The projector (projection head): a multi-layer perceptron from a pooled feature to an embedding.

Shapes: B clips, D feature channels, d embedding.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from raysl.config.options import Options, option


class ProjectorOptions(Options):
    """Options of a projector."""

    hidden_layers: int = option(
        1,
        doc="hidden layers, each followed by ReLU; 0: one linear layer",
        unit="layers",
        source="[P] SimCLR 2.1: one hidden layer; CVRL uses 3",
        ge=0,
        le=8,
    )
    hidden_dim: int | None = option(
        None,
        doc="channels of a hidden layer; null: as many as the feature has",
        unit="channels",
        source="[P] SimCLR App. B.5: as the feature; CVRL [C]: 2048",
        ge=1,
        le=65536,
    )
    output_dim: int = option(
        128, doc="channels of the embedding", unit="channels", source="[P] SimCLR 2.1, CVRL, TCLR", ge=2, le=65536
    )
    batch_norm: Literal["none", "hidden", "all"] = option(
        "hidden", doc="layers followed by batch norm", source="[C] CVRL: hidden; TCLR: all"
    )
    last_affine: bool = option(
        True,
        doc="whether a batch norm after the last layer has scale and shift",
        source="[C] TCLR: on; SimSiam: off",
    )
    bias_before_norm: bool = option(
        True,
        doc="whether a hidden layer followed by batch norm has a bias, which the norm cancels",
        source="[C] CVRL, TCLR: on; SimSiam: off",
    )


class Projector(nn.Module):
    """``[B, D]`` to ``[B, d]``, not normalised.

    A hidden layer is linear (with bias unless switched off), batch norm where asked for, ReLU; the last layer is
    linear, without a bias where batch norm follows and would cancel it (TCLR [C]).

    Args:
        input_dim: D.
        options: depth, widths and batch norm.
    """

    def __init__(self, input_dim: int, options: ProjectorOptions) -> None:
        super().__init__()
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
