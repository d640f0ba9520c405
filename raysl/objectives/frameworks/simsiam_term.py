"""The term of `simsiam`; its options and sources stand in `raysl.objectives.frameworks.simsiam`."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from raysl.models.predictor import Predictor
from raysl.objectives.frameworks.simsiam import SimSiamOptions
from raysl.objectives.losses.negative_cosine import negative_cosine
from raysl.objectives.losses.reduction import reduced
from raysl.objectives.losses.representation_metrics import representation_metrics
from raysl.objectives.tasks.transformed import TransformedViewLosses
from raysl.objectives.term import Term, TermContext, TermOutput
from raysl.views.batch import Batch


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
