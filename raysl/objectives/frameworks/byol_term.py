"""The term of `byol`; its options and sources stand in `raysl.objectives.frameworks.byol`."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from raysl.models.backbone import Backbone
from raysl.models.predictor import Predictor
from raysl.objectives.frameworks.byol import BYOLOptions
from raysl.objectives.losses.negative_cosine import negative_cosine, squared_distance
from raysl.objectives.losses.reduction import reduced
from raysl.objectives.losses.representation_metrics import representation_metrics
from raysl.objectives.memory.target_encoder import TargetEncoder, momentum_at
from raysl.objectives.tasks.transformed import TransformedViewLosses
from raysl.objectives.term import Term, TermContext, TermOutput
from raysl.views.batch import Batch


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
