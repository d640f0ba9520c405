"""Base of tasks that change one clip and ask what was done to it.

The clip is the task's own view (TaCo), or each clip of the pair separately (CSTP). A task defines how it changes a clip
and how many answers there are.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from pydantic import model_validator

from raysl.config.cell import CellConfig
from raysl.config.options import option
from raysl.objectives.tasks.task_options import HeadOptions, OwnViewOptions
from raysl.views.task_views import TaskViews, VideoPlan

if TYPE_CHECKING:
    from raysl.objectives.tasks.one_clip_term import OneClipTask
    from raysl.objectives.term import TermContext


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
        self.options, self.views = options, views_of(self.name, options)

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
            plan.targets[target_of(self.name, view)] = self.answer(plan, view, generator)

    @abstractmethod
    def answer(self, plan: VideoPlan, view: str, generator: np.random.Generator) -> int:
        """Draws the right answer, 0 to K - 1, changes the clip of this view accordingly, and returns the answer.

        The clip is placed: ``plan.placements[view]`` may be changed, as its pixels may (`VideoPlan.change_pixels`).
        """


def views_of(name: str, options: OneClipOptions) -> tuple[str, ...]:
    return (name,) if options.view == "own" else ("query", "key")


def asked_of(name: str, options: OneClipOptions) -> tuple[str, ...]:
    return views_of(name, options) if options.clips == "both" else ("query",)


def target_of(name: str, view: str) -> str:
    return f"{name}/{view}"


def one_clip_task(name: str, classes: int | Callable[[Any], int]) -> Callable[..., Any]:
    """``COMPONENT.build`` of such a task.

    Args:
        name: as that of its `OneClipViews`.
        classes: K, how many answers there are, or what says it of the options.
    """

    def build(options: OneClipOptions, context: TermContext) -> OneClipTask:
        from raysl.objectives.tasks.one_clip_term import OneClipTask

        return OneClipTask(name, classes(options) if callable(classes) else classes, options, context)

    return build
