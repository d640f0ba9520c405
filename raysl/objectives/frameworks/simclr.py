"""SimCLR: the two clips of a video attract, all other clips of the global batch repel.

Chen et al. 2020, https://arxiv.org/abs/2002.05709; on video CVRL (Qian et al. 2021), https://arxiv.org/abs/2008.03800.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from raysl.config.component import Component
from raysl.config.options import Options, option
from raysl.models.projector import Projector, ProjectorOptions
from raysl.objectives.nt_xent import nt_xent
from raysl.objectives.representation_metrics import representation_metrics
from raysl.objectives.term import Term, TermContext, TermOutput
from raysl.views.batch import Batch


class SimCLROptions(Options):
    """Options of SimCLR."""

    temperature: float = option(0.1, doc="divides the cosines", source="[P] CVRL 3.1", gt=0, le=100)
    projector: ProjectorOptions = option(
        ProjectorOptions(), doc="from the pooled feature to the embedding", source="see its fields"
    )
    weight: float = option(
        1.0, doc="factor of this term in the sum that is minimised", source="[P] the only term", ge=0
    )
    positive_in_denominator: bool = option(
        True,
        doc="whether the positive is among the candidates it competes with",
        source="[P] SimCLR Eq. 1; CSTP Eq. 1 off",
    )
    same_view_negatives: bool = option(
        True, doc="whether clips of the anchor's own view are negatives too", source="[P] SimCLR Eq. 1"
    )
    symmetric: Literal["mean", "sum", "one_way"] = option(
        "mean",
        doc="both directions averaged, both added, or the query as the only anchor",
        source="[P] SimCLR Alg. 1: mean; [C] CVRL: sum; [P] CVRL Eq. 1: one_way",
    )


class SimCLR(Term):
    """NT-Xent between the projected features of the views ``query`` and ``key``.

    Metrics: ``contrastive_accuracy`` (share of anchors nearer to their positive than to every negative) and those of
    `representation_metrics`.
    """

    compares_across_batch = True

    def __init__(self, options: SimCLROptions, feature_dim: int) -> None:
        super().__init__()
        self.options = options
        self.projector = Projector(feature_dim, options.projector)

    @property
    def view_names(self) -> tuple[str, ...]:
        return ("query", "key")

    def forward(self, features: Mapping[str, Tensor], batch: Batch) -> TermOutput:
        embeddings = self.embed(features)
        query, key = embeddings["query"], embeddings["key"]
        result = nt_xent(
            query,
            key,
            self.options.temperature,
            positive_in_denominator=self.options.positive_in_denominator,
            same_view_negatives=self.options.same_view_negatives,
            symmetric=self.options.symmetric,
        )
        metrics = {"contrastive_accuracy": result.accuracy, **representation_metrics(query, key)}
        return TermOutput(result.loss, metrics)

    def embed(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """``{view: [B, d]}``, not normalised.

        Both views pass the projector together, so its batch norm sees the same rows as the backbone's.
        """
        together = torch.cat([features[name] for name in self.view_names])
        embeddings = self.projector(together).chunk(len(self.view_names))
        return dict(zip(self.view_names, embeddings, strict=True))


def _build(options: SimCLROptions, context: TermContext) -> SimCLR:
    return SimCLR(options, context.feature_dim)


COMPONENT = Component(kind="framework", options=SimCLROptions, build=_build)
