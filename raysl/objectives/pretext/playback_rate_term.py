"""The term of `playback_rate`; its options and sources stand in `raysl.objectives.pretext.playback_rate`."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from raysl.objectives.pretext.playback_rate import PlaybackRateOptions
from raysl.objectives.tasks.heads import TaskHead
from raysl.objectives.tasks.pretext_task import ClassificationTask
from raysl.objectives.term import TermContext
from raysl.views.batch import Batch
from raysl.views.pair_sampler import PLAYBACK


class PlaybackRate(ClassificationTask):
    """As many classes as there are rates."""

    name = PLAYBACK

    def __init__(self, options: PlaybackRateOptions, context: TermContext) -> None:
        super().__init__()
        self._views = ("query", "key") if options.clips == "both" else ("query",)
        self.head = TaskHead(context.feature_dim, context.pair_classes[PLAYBACK], options.head)

    @property
    def view_names(self) -> tuple[str, ...]:
        return self._views

    def questions(self, features: Mapping[str, Tensor], batch: Batch) -> list[tuple[Tensor, Tensor]]:
        logits = self.head(torch.cat([features[view] for view in self._views])).chunk(len(self._views))
        return [(own, batch.targets[PLAYBACK]) for own in logits]
