"""A framework that collapses: two views of a video attract each other, and nothing keeps videos apart."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from raysl.config.component import Component
from raysl.config.objective_sections import ProjectorOptions
from raysl.config.options import Options, option
from raysl.objectives.losses.representation_metrics import representation_metrics
from raysl.objectives.term import Term, TermContext, TermOutput
from raysl.views.batch import Batch


class AttractionOptions(Options):
    """A projector without batch norm, which would spread whatever it is given."""

    projector: ProjectorOptions = option(ProjectorOptions(batch_norm="none"), doc="to the embedding", source="a test")
    weight: float = option(1.0, doc="of the term", source="a test", ge=0, le=1)


class Attraction(Term):
    """SimSiam's loss without its predictor, and with a gradient on both sides."""

    compares_across_batch = False

    def __init__(self, options: AttractionOptions, context: TermContext) -> None:
        super().__init__()
        self.projector = context.projector(options.projector)

    @property
    def view_names(self) -> tuple[str, ...]:
        return ("query", "key")

    def forward(self, features: Mapping[str, Tensor], batch: Batch) -> TermOutput:
        query, key = self.projector(torch.cat([features["query"], features["key"]])).chunk(2)
        loss = -F.cosine_similarity(query, key).mean()
        return TermOutput(loss, representation_metrics(query, key))


COMPONENT = Component(kind="framework", options=AttractionOptions, build=Attraction)
