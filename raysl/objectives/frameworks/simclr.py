"""SimCLR: the two clips of a video attract, all other clips of the global batch repel.

Chen et al. 2020, https://arxiv.org/abs/2002.05709; on video CVRL (Qian et al. 2021), https://arxiv.org/abs/2008.03800.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from raysl.config.cell import CellConfig
from raysl.config.component import Component
from raysl.config.objective_sections import ProjectorOptions
from raysl.config.options import NO_UNIT, Options, option
from raysl.errors import ConfigError
from raysl.models.backbone import Backbone
from raysl.objectives.losses.nt_xent import nt_xent
from raysl.objectives.losses.reduction import Reduction, reduced, reduction_option
from raysl.objectives.losses.representation_metrics import representation_metrics
from raysl.objectives.memory.temporal_memory import TemporalMemory, check_negatives
from raysl.objectives.tasks.transformed import TransformedViewLosses, original_weight_option
from raysl.objectives.term import Term, TermContext, TermOutput
from raysl.views.batch import Batch

PAIR = ("query", "key")


class SimCLROptions(Options):
    """Options of SimCLR."""

    temperature: float = option(
        0.1,
        doc="what cosine similarities are divided by before the softmax",
        unit=NO_UNIT,
        source="printed: CVRL 3.1",
        gt=0,
        le=100,
    )
    projector: ProjectorOptions | Literal["shared"] = option(
        ProjectorOptions(), doc="from the pooled feature to the embedding", source="see its fields"
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
    positive_in_denominator: bool = option(
        True,
        doc="whether the positive is among the candidates it competes with",
        source="printed: SimCLR Eq. 1; CSTP Eq. 1 off",
    )
    same_view_negatives: bool = option(
        True, doc="whether clips of the anchor's own view are negatives too", source="printed: SimCLR Eq. 1"
    )
    symmetric: Literal["mean", "sum", "one_way"] = option(
        "mean",
        doc="both directions averaged, both added, or the query as the only anchor",
        source="printed: SimCLR Alg. 1: mean; code: CVRL: sum; printed: CVRL Eq. 1, CSTP Eq. 1: one_way",
    )
    reduction: Reduction = reduction_option()
    bank_negatives: int = option(
        0,
        doc="entries drawn each step from the temporal memory bank (`objective.memory`) as further negatives",
        unit="entries",
        source="printed: none; inferred: SSTL: 2048, what its Table 5 calls memory size",
        ge=0,
        le=2**24,
    )


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


def _check(options: SimCLROptions, cell: CellConfig) -> None:
    objective = cell.objective
    shared = options.projector == "shared" and objective.projector is not None
    if options.bank_negatives and (objective.memory is None or not shared):
        raise ConfigError(
            "objective.contrastive.bank_negatives: the bank holds embeddings of the shared projector; set "
            "objective.memory, objective.projector and objective.contrastive.projector: shared"
        )


def _check_videos(options: SimCLROptions, cell: CellConfig, videos: int) -> None:
    if options.bank_negatives and cell.objective.memory is not None:
        check_negatives(options.bank_negatives, videos, cell.training.batch_size, cell.objective.memory)


def _build(options: SimCLROptions, context: TermContext) -> SimCLR:
    return SimCLR(options, context)


COMPONENT = Component(kind="framework", options=SimCLROptions, build=_build, check=_check, check_videos=_check_videos)
