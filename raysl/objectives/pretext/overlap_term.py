"""The term of both overlap tasks, `raysl.objectives.pretext.overlap`."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from raysl.objectives.pretext.overlap import OverlapTaskOptions
from raysl.objectives.tasks.heads import TaskHead
from raysl.objectives.tasks.pretext_task import ClassificationTask
from raysl.objectives.term import TermContext
from raysl.views.batch import Batch

PAIR = ("query", "key")


class OverlapTask(ClassificationTask):
    """One question about the pair, from the online features of both clips side by side, ``[B, 2 D]``.

    One passage of the paper gives the spatial head the query's feature alone and the temporal head the key's; the
    paragraph after it and the code use both.
    """

    def __init__(self, name: str, options: OverlapTaskOptions, context: TermContext) -> None:
        super().__init__()
        self.name = name
        self.head = TaskHead(len(PAIR) * context.feature_dim, context.pair_classes[name], options.head)

    @property
    def view_names(self) -> tuple[str, ...]:
        return PAIR

    def questions(self, features: Mapping[str, Tensor], batch: Batch) -> list[tuple[Tensor, Tensor]]:
        logits = self.head(torch.cat([features[view] for view in PAIR], dim=1))
        return [(logits, batch.targets[self.name])]
