"""Options of the predictor of BYOL and SimSiam."""

from __future__ import annotations

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
