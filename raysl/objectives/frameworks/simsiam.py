"""SimSiam: a clip's embedding predicts the other clip's, without gradient to that one; no negatives, no copy.

Chen and He 2021, https://arxiv.org/abs/2011.10566. Its recipe: SGD, learning rate 0.05 at batch 256 with a cosine,
weight decay 1e-4.
"""

from __future__ import annotations

from typing import Literal

from raysl.config.component import Component, later
from raysl.config.objective_sections import ProjectorOptions
from raysl.config.options import NO_UNIT, Options, option
from raysl.models.predictor_options import PredictorOptions
from raysl.objectives.tasks.task_options import Reduction, original_weight_option, reduction_option


class SimSiamProjectorOptions(ProjectorOptions):
    """A projector of SimSiam's shape: three linear layers with batch norm, the last without scale and shift."""

    hidden_layers: int = option(
        2,
        doc="hidden layers, each followed by ReLU; 0: one linear layer",
        unit="layers",
        source="printed: SimSiam 3: three layers in all",
        ge=0,
        le=8,
    )
    hidden_dim: int | None = option(
        2048,
        doc="channels of a hidden layer; null: as many as the feature has",
        unit="channels",
        source="printed: SimSiam 3",
        ge=1,
        le=65536,
    )
    output_dim: int = option(
        2048, doc="channels of the embedding", unit="channels", source="printed: SimSiam 3", ge=2, le=65536
    )
    batch_norm: Literal["none", "hidden", "all"] = option(
        "all", doc="layers followed by batch norm", source="printed: SimSiam 3"
    )
    last_affine: bool = option(
        False, doc="whether a batch norm after the last layer has scale and shift", source="code: SimSiam"
    )
    bias_before_norm: bool = option(
        False,
        doc="whether a hidden layer followed by batch norm has a bias, which the norm cancels",
        source="code: SimSiam",
    )


class SimSiamPredictorOptions(PredictorOptions):
    """A predictor of SimSiam's shape."""

    bias_before_norm: bool = option(
        False, doc="whether the hidden layer has a bias, which its batch norm cancels", source="code: SimSiam"
    )


class SimSiamOptions(Options):
    """Options of SimSiam."""

    projector: SimSiamProjectorOptions | Literal["shared"] = option(
        SimSiamProjectorOptions(), doc="from the pooled feature to the embedding", source="see its fields"
    )
    predictor: SimSiamPredictorOptions = option(
        SimSiamPredictorOptions(), doc="from one clip's embedding to the other's", source="see its fields"
    )
    constant_predictor_rate: bool = option(
        False,
        doc="whether the schedule leaves the predictor's learning rate alone",
        source="printed: SimSiam Table 1: baseline off; on in its later experiments",
    )
    weight: float = option(
        1.0,
        doc="factor of this term in the sum that is minimised",
        unit=NO_UNIT,
        source="printed: the only term",
        ge=0,
        le=1e6,
    )
    original_weight: float = original_weight_option()
    symmetric: Literal["mean", "one_way"] = option(
        "mean",
        doc="both directions averaged, or only the prediction from `query`",
        source="printed: SimSiam Eq. 2: mean; CSTP, for which it is BYOL's Eq. 3 without the momentum encoder: one_way",
    )
    reduction: Reduction = reduction_option()


COMPONENT = Component(
    kind="framework", options=SimSiamOptions, build=later("raysl.objectives.frameworks.simsiam_term", "SimSiam")
)
