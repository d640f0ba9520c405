"""BYOL: a clip's embedding predicts the other clip's, which a slowly moving copy of the encoder makes; no negatives.

Grill et al. 2020, https://arxiv.org/abs/2006.07733; on video CSTP, and Feichtenhofer et al. 2021 (PySlowFast).
"""

from __future__ import annotations

from typing import Literal

from raysl.config.component import Component, later
from raysl.config.objective_sections import ProjectorOptions
from raysl.config.options import NO_UNIT, Options, option
from raysl.models.predictor_options import PredictorOptions
from raysl.objectives.tasks.task_options import Reduction, original_weight_option, reduction_option


class BYOLProjectorOptions(ProjectorOptions):
    """A projector of BYOL's size: linear, batch norm, ReLU, linear."""

    hidden_dim: int | None = option(
        4096,
        doc="channels of a hidden layer; null: as many as the feature has",
        unit="channels",
        source="printed: BYOL 3.3",
        ge=1,
        le=65536,
    )
    output_dim: int = option(
        256,
        doc="channels of the embedding",
        unit="channels",
        source="printed: BYOL 3.3; code: CSTP 512",
        ge=2,
        le=65536,
    )


class BYOLPredictorOptions(PredictorOptions):
    """A predictor of BYOL's size."""

    hidden_dim: int | None = option(
        4096,
        doc="channels of the hidden layer; null: a quarter of the embedding's",
        unit="channels",
        source="printed: BYOL 3.3: as the projector",
        ge=1,
        le=65536,
    )


class BYOLOptions(Options):
    """Options of BYOL."""

    momentum: float = option(
        0.996,
        doc="share of the old target encoder that an update keeps",
        unit="share",
        source="printed: BYOL 3.3; CSTP: 0.998, its code 0.996",
        ge=0,
        le=1,
    )
    momentum_schedule: Literal["constant", "cosine"] = option(
        "cosine",
        doc="cosine: the momentum rises to 1 at the end of training",
        source="printed: BYOL 3.3; code: CSTP constant",
    )
    projector: BYOLProjectorOptions | Literal["shared"] | None = option(
        BYOLProjectorOptions(),
        doc="from the pooled feature to the embedding; null: the pooled feature itself",
        source="printed: BYOL 3.3; code: CSTP null on C3D and R3D",
    )
    predictor: BYOLPredictorOptions = option(
        BYOLPredictorOptions(), doc="from one clip's embedding to the other's", source="see its fields"
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
    symmetric: Literal["sum", "mean", "one_way"] = option(
        "sum",
        doc="both directions added, averaged, or only the prediction from `query`",
        source="printed: BYOL 3.1: sum; CSTP Eq. 3 one_way",
    )
    loss: Literal["distance", "cosine"] = option(
        "distance",
        doc="of prediction and target, both of length 1: their squared distance, 2 - 2 cos, or - cos, half its slope",
        source="printed: BYOL Eq. 2; code: CSTP: distance; CSTP Eq. 3: cosine",
    )
    reduction: Reduction = reduction_option()


COMPONENT = Component(
    kind="framework", options=BYOLOptions, build=later("raysl.objectives.frameworks.byol_term", "BYOL")
)
