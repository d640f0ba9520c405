"""BYOL: a clip's embedding predicts the other clip's, which a slowly moving copy of the encoder makes; no negatives.

Grill et al. 2020, https://arxiv.org/abs/2006.07733; on video CSTP, and Feichtenhofer et al. 2021 (PySlowFast).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from raysl.config.component import Component
from raysl.config.objective_sections import ProjectorOptions
from raysl.config.options import NO_UNIT, Options, option
from raysl.models.backbone import Backbone
from raysl.models.predictor import Predictor, PredictorOptions
from raysl.objectives.losses.negative_cosine import negative_cosine, squared_distance
from raysl.objectives.losses.reduction import Reduction, reduced, reduction_option
from raysl.objectives.losses.representation_metrics import representation_metrics
from raysl.objectives.memory.target_encoder import TargetEncoder, momentum_at
from raysl.objectives.tasks.transformed import TransformedViewLosses, original_weight_option
from raysl.objectives.term import Term, TermContext, TermOutput
from raysl.views.batch import Batch


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


class BYOL(Term):
    """Squared distance of the prediction from one view to the target embedding of the other, both of length 1.

    Or minus their cosine (``loss: cosine``).

    Metrics: those of `representation_metrics` of the online embeddings (before the predictor) of both views; of the
    query's online and the key's target embedding where only the query is online.
    """

    compares_across_batch = False

    def __init__(self, options: BYOLOptions, context: TermContext) -> None:
        super().__init__()
        self.options = options
        self.projector: nn.Module = nn.Identity()
        embedding_dim = context.feature_dim
        if options.projector is not None:
            self.projector = projector = context.projector(options.projector)
            embedding_dim = projector.output_dim
        self.predictor = Predictor(embedding_dim, options.predictor)
        self.target = TargetEncoder(context.backbone, self.projector, context.chunk)
        self.transformed = TransformedViewLosses(context, embedding_dim)
        self._online = ("query",) if options.symmetric == "one_way" else ("query", "key")
        self.compares_across_batch = options.reduction == "sum"
        self._total_steps = context.total_steps

    @property
    def view_names(self) -> tuple[str, ...]:
        return (*self._online, *self.transformed.view_names)

    @property
    def target_view_names(self) -> tuple[str, ...]:
        return ("key",) if self.options.symmetric == "one_way" else ("key", "query")

    def begin_step(self, step: int, backbone: Backbone) -> None:
        options = self.options
        momentum = momentum_at(step, self._total_steps, options.momentum, options.momentum_schedule)
        self.target.update(backbone, self.projector, momentum)

    def forward(self, features: Mapping[str, Tensor], batch: Batch) -> TermOutput:
        online = self.projector(torch.cat([features[name] for name in self._online]))
        predictions = self.predictor(online).chunk(len(self._online))
        targets = [self.target(batch.views[name].clips) for name in self.target_view_names]
        distances = [self._distance(*pair) for pair in zip(predictions, targets, strict=True)]
        loss = torch.stack(distances).sum()
        if self.options.symmetric == "mean":
            loss = loss / len(distances)
        embeddings = [*online.detach().chunk(len(self._online)), targets[0]]
        own = TermOutput(loss, representation_metrics(*embeddings[:2]) if self.measures else {})
        # One direction: a transformed clip predicts the target of the original, `key`. Where the original's directions
        # are added it counts as many times, so that original_weight is a share.
        times = len(distances) if self.options.symmetric == "sum" else 1
        return self.transformed.added_to(
            own,
            features,
            self.options.original_weight,
            lambda embedding: times * self._distance(self.predictor(embedding), targets[0]),
        )

    def _distance(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Of ``[B, d]`` rows, a scalar: what is minimised in one direction."""
        measure = squared_distance if self.options.loss == "distance" else negative_cosine
        return reduced(measure(prediction, target), len(prediction), self.options.reduction)


def _build(options: BYOLOptions, context: TermContext) -> BYOL:
    return BYOL(options, context)


COMPONENT = Component(kind="framework", options=BYOLOptions, build=_build)
