"""Reverse: does the clip run forwards or backwards? (arrow of time; TaCo)"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from raysl.config.cell import CellConfig
from raysl.config.component import Component
from raysl.config.options import option
from raysl.objectives.pretext_task import ClassificationTask, OwnViewOptions, targets_of, views_of
from raysl.objectives.task_heads import HeadOptions, TaskHead
from raysl.objectives.term import TermContext
from raysl.views.batch import Batch
from raysl.views.task_views import TaskViews, VideoPlan


class ReverseOptions(OwnViewOptions):
    """Options of reverse."""

    head: HeadOptions = option(HeadOptions(), doc="from a clip's feature to the answer", source="see its fields")


class ReverseViews(TaskViews):
    """Plays a view of its own, or each clip of the pair, backwards with equal chance [I]."""

    def __init__(self, options: ReverseOptions) -> None:
        self.options, self.views = options, views_of("reverse", options.view)

    @property
    def own_views(self) -> tuple[str, ...]:
        return self.views if self.options.view == "own" else ()

    @property
    def changes(self) -> Mapping[str, frozenset[str]]:
        return dict.fromkeys(self.views, frozenset({"order"}))

    def apply(self, plan: VideoPlan, generator: np.random.Generator) -> None:
        for view in self.views:
            if self.options.view == "own":
                plan.placements[view] = plan.place(generator)
            backwards = int(generator.integers(2))
            if backwards:
                plan.placements[view] = plan.placements[view].backwards()
            plan.targets[f"reverse/{view}"] = backwards


class Reverse(ClassificationTask):
    """Two classes, about each clip: 0 forwards, 1 backwards."""

    name = "reverse"

    def __init__(self, options: ReverseOptions, context: TermContext) -> None:
        super().__init__()
        self._views = views_of(self.name, options.view)
        self.head = TaskHead(context.feature_dim, 2, options.head)

    @property
    def view_names(self) -> tuple[str, ...]:
        return self._views

    def questions(self, features: Mapping[str, Tensor], batch: Batch) -> list[tuple[Tensor, Tensor]]:
        logits = self.head(torch.cat([features[view] for view in self._views])).chunk(len(self._views))
        return list(zip(logits, targets_of(self.name, self._views, batch), strict=True))


def _views(options: ReverseOptions, cell: CellConfig) -> ReverseViews:
    return ReverseViews(options)


COMPONENT = Component(kind="pretext task", options=ReverseOptions, build=Reverse, views=_views)
