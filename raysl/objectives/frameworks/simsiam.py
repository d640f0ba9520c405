"""SimSiam: a clip's embedding predicts the other clip's, without gradient to that one; no negatives, no copy.

Chen and He 2021, https://arxiv.org/abs/2011.10566. Its recipe: SGD, learning rate 0.05 at batch 256 with a cosine,
weight decay 1e-4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from raysl.config.component import Component
from raysl.config.objective_sections import ProjectorOptions
from raysl.config.options import NO_UNIT, Options, option
from raysl.models.predictor import Predictor, PredictorOptions
from raysl.objectives.losses.negative_cosine import negative_cosine
from raysl.objectives.losses.reduction import Reduction, reduced, reduction_option
from raysl.objectives.losses.representation_metrics import representation_metrics
from raysl.objectives.tasks.transformed import TransformedViewLosses, original_weight_option
from raysl.objectives.term import Term, TermContext, TermOutput
from raysl.views.batch import Batch


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


class SimSiam(Term):
    """Minus the cosine of a view's prediction with the other view's embedding, -1 to 1; by default of both, averaged.

    Metrics: those of `representation_metrics` of the embeddings of both views.
    """

    compares_across_batch = False

    def __init__(self, options: SimSiamOptions, context: TermContext) -> None:
        super().__init__()
        self.projector = context.projector(options.projector)
        self.predictor = Predictor(self.projector.output_dim, options.predictor)
        self.predictor.constant_rate = options.constant_predictor_rate
        self.transformed = TransformedViewLosses(context, self.projector.output_dim)
        self.options = options
        self.compares_across_batch = options.reduction == "sum"

    @property
    def view_names(self) -> tuple[str, ...]:
        return ("query", "key", *self.transformed.view_names)

    def forward(self, features: Mapping[str, Tensor], batch: Batch) -> TermOutput:
        embeddings = self.projector(torch.cat([features["query"], features["key"]]))
        query, key = embeddings.chunk(2)
        from_query, from_key = self.predictor(embeddings).chunk(2)
        loss = self._cosine(from_query, key)
        if self.options.symmetric == "mean":
            loss = (loss + self._cosine(from_key, query)) / 2
        own = TermOutput(loss, representation_metrics(query, key) if self.measures else {})
        # One direction: a transformed clip predicts the original, which stays as it is.
        return self.transformed.added_to(
            own, features, self.options.original_weight, lambda embedding: self._cosine(self.predictor(embedding), key)
        )

    def _cosine(self, prediction: Tensor, target: Tensor) -> Tensor:
        return reduced(negative_cosine(prediction, target), len(prediction), self.options.reduction)


def _build(options: SimSiamOptions, context: TermContext) -> SimSiam:
    return SimSiam(options, context)


COMPONENT = Component(kind="framework", options=SimSiamOptions, build=_build)
