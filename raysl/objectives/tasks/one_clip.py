"""Base of tasks that change one clip and ask what was done to it.

The clip is the task's own view (TaCo), or each clip of the pair separately (CSTP). A task defines how it changes a clip
and how many answers there are.

Shapes: B videos of this rank, D feature channels, K classes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Literal, Self

import numpy as np
import torch
from pydantic import model_validator
from torch import Tensor

from raysl.config.cell import CellConfig
from raysl.config.options import option
from raysl.objectives.tasks.heads import HeadOptions, TaskHead
from raysl.objectives.tasks.pretext_task import ClassificationTask, OwnViewOptions
from raysl.objectives.term import TermContext
from raysl.views.batch import Batch
from raysl.views.task_views import TaskViews, VideoPlan


class OneClipOptions(OwnViewOptions):
    """Options of tasks about one clip."""

    clips: Literal["both", "query"] = option(
        "both",
        doc="which clips of the pair are asked about, though both are changed; both: two losses, added",
        source="code: CSTP: both; printed: CSTP: query",
    )
    head: HeadOptions = option(HeadOptions(), doc="from a clip's feature to the answer", source="see its fields")

    @model_validator(mode="after")
    def _clips_of_a_pair(self) -> Self:
        if self.view == "own" and self.clips != "both":
            raise ValueError("clips: query is of the pair's two clips, and view: own has one; set view: pair")
        return self


class OneClipViews(TaskViews):
    """Changes each clip by a separate draw; a subclass is ``COMPONENT.views`` itself.

    A subclass with further options declares their type, ``options: ItsOptions``.

    Class attributes:
        name: of the task, and of its own view.
        sets: what it changes of a clip, in the words of `TaskViews.changes`.
    """

    name: str
    sets: frozenset[str]

    def __init__(self, options: OneClipOptions, cell: CellConfig) -> None:
        self.options, self.views = options, _views(self.name, options)

    @property
    def own_views(self) -> tuple[str, ...]:
        return self.views if self.options.view == "own" else ()

    @property
    def changes(self) -> Mapping[str, frozenset[str]]:
        return dict.fromkeys(self.views, self.sets)

    def apply(self, plan: VideoPlan, generator: np.random.Generator) -> None:
        for view in self.views:
            if self.options.view == "own":
                plan.placements[view] = plan.place(generator)
            plan.targets[_target(self.name, view)] = self.answer(plan, view, generator)

    @abstractmethod
    def answer(self, plan: VideoPlan, view: str, generator: np.random.Generator) -> int:
        """Draws the right answer, 0 to K - 1, changes the clip of this view accordingly, and returns the answer.

        The clip is placed: ``plan.placements[view]`` may be changed, as its pixels may (`VideoPlan.change_pixels`).
        """


class OneClipTask(ClassificationTask):
    """A question about a clip, or about each, from its feature alone, ``[B, D]``, through one head.

    It is ``COMPONENT.build`` itself.

    Class attributes:
        name: as that of the `OneClipViews`.
    """

    def __init__(self, options: OneClipOptions, context: TermContext) -> None:
        super().__init__()
        self.options, self._asked = options, _asked(self.name, options)
        self.head = TaskHead(context.feature_dim, self.classes, options.head)

    @property
    @abstractmethod
    def classes(self) -> int:
        """K: a class attribute, or a property where ``options`` say it."""

    @property
    def view_names(self) -> tuple[str, ...]:
        return self._asked

    def questions(self, features: Mapping[str, Tensor], batch: Batch) -> list[tuple[Tensor, Tensor]]:
        logits = self.head(torch.cat([features[view] for view in self._asked])).chunk(len(self._asked))
        answers = [batch.targets[_target(self.name, view)] for view in self._asked]
        return list(zip(logits, answers, strict=True))


def _views(name: str, options: OneClipOptions) -> tuple[str, ...]:
    return (name,) if options.view == "own" else ("query", "key")


def _asked(name: str, options: OneClipOptions) -> tuple[str, ...]:
    return _views(name, options) if options.clips == "both" else ("query",)


def _target(name: str, view: str) -> str:
    return f"{name}/{view}"
