"""The term of tasks that ask what was done to one clip: `raysl.objectives.tasks.one_clip`.

Shapes: B videos of this rank, D feature channels, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from raysl.objectives.tasks.heads import TaskHead
from raysl.objectives.tasks.one_clip import OneClipOptions, asked_of, target_of
from raysl.objectives.tasks.pretext_task import ClassificationTask
from raysl.objectives.term import TermContext
from raysl.views.batch import Batch


class OneClipTask(ClassificationTask):
    """A question about a clip, or about each, from its feature alone, ``[B, D]``, through one head.

    Args:
        name: as that of the `OneClipViews`.
        classes: K.
    """

    def __init__(self, name: str, classes: int, options: OneClipOptions, context: TermContext) -> None:
        super().__init__()
        self.name, self.options, self._asked = name, options, asked_of(name, options)
        self.head = TaskHead(context.feature_dim, classes, options.head)

    @property
    def view_names(self) -> tuple[str, ...]:
        return self._asked

    def questions(self, features: Mapping[str, Tensor], batch: Batch) -> list[tuple[Tensor, Tensor]]:
        logits = self.head(torch.cat([features[view] for view in self._asked])).chunk(len(self._asked))
        answers = [batch.targets[target_of(self.name, view)] for view in self._asked]
        return list(zip(logits, answers, strict=True))
