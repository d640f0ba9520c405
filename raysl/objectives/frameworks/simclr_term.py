"""The term of `simclr`; its options and sources stand in `raysl.objectives.frameworks.simclr`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from raysl.models.backbone import Backbone
from raysl.objectives.frameworks.simclr import PAIR, SimCLROptions
from raysl.objectives.losses.nt_xent import nt_xent
from raysl.objectives.losses.reduction import reduced
from raysl.objectives.losses.representation_metrics import representation_metrics
from raysl.objectives.memory.bank_checks import check_negatives
from raysl.objectives.memory.temporal_memory import TemporalMemory
from raysl.objectives.tasks.transformed import TransformedViewLosses
from raysl.objectives.term import Term, TermContext, TermOutput
from raysl.views.batch import Batch


class SimCLR(Term):
    """NT-Xent between the projected features of the views ``query`` and ``key``.

    Metrics: ``contrastive_accuracy`` (share of anchors nearer to their positive than to every negative),
    ``contrastive_entropy`` (nats, of an anchor's softmax over both) and those of `representation_metrics`.
    """

    compares_across_batch = True

    def __init__(self, options: SimCLROptions, context: TermContext) -> None:
        super().__init__()
        self.options = options
        self.projector = context.projector(options.projector)
        self.memory: TemporalMemory | None = None
        if options.bank_negatives:
            self.memory = context.temporal_memory()
            check_negatives(options.bank_negatives, len(context.videos), context.batch_size, self.memory.options)
        self.transformed = TransformedViewLosses(context, self.projector.output_dim)
        self._seed, self._step = context.seed, 0

    @property
    def view_names(self) -> tuple[str, ...]:
        return (*PAIR, *self.transformed.view_names)

    def begin_step(self, step: int, backbone: Backbone) -> None:
        self._step = step
        if self.memory is not None:
            self.memory.begin_step()

    def forward(self, features: Mapping[str, Tensor], batch: Batch) -> TermOutput:
        embeddings = self.embed(features)
        query, key = embeddings["query"], embeddings["key"]
        loss = partial(
            nt_xent,
            key=key,
            temperature=self.options.temperature,
            positive_in_denominator=self.options.positive_in_denominator,
            same_view_negatives=self.options.same_view_negatives,
            symmetric=self.options.symmetric,
            bank_negatives=self._from_bank(embeddings, batch),
        )
        result = loss(query)
        weight, reduction, videos = self.options.original_weight, self.options.reduction, len(query)
        metrics = {**result.metrics, **representation_metrics(query, key)} if self.measures else {}
        own = TermOutput(reduced(result.loss, videos, reduction), metrics)
        return self.transformed.added_to(
            own, features, weight, lambda embedding: reduced(loss(embedding).loss, videos, reduction)
        )

    def _from_bank(self, embeddings: Mapping[str, Tensor], batch: Batch) -> Tensor | None:
        """The negatives of this step, after the bank has seen the embeddings. Collective if there is a bank."""
        if self.memory is None:
            return None
        for name, embedding in embeddings.items():
            view = batch.views[name]
            self.memory.observe(name, view.video, view.center, embedding)
        videos = batch.views["query"].video
        return self.memory.draw(videos, self.options.bank_negatives, self._seed, self._step, "bank negatives")

    def end_step(self) -> None:
        if self.memory is not None:
            self.memory.commit()

    def embed(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """``{view: [B, d]}``, not normalised.

        Both views pass the projector together, so its batch norm sees the same rows as the backbone's.
        """
        embeddings = self.projector(torch.cat([features[name] for name in PAIR])).chunk(len(PAIR))
        return dict(zip(PAIR, embeddings, strict=True))
