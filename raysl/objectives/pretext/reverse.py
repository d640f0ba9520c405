"""Reverse: does the clip run forwards or backwards? (arrow of time; TaCo)"""

from __future__ import annotations

import numpy as np

from raysl.config.component import Component
from raysl.objectives.tasks.one_clip import OneClipOptions, OneClipViews, one_clip_task
from raysl.views.task_views import VideoPlan


class ReverseOptions(OneClipOptions):
    """Options of reverse."""


class ReverseViews(OneClipViews):
    """Plays a view of its own, or each clip of the pair, backwards with equal chance (inferred)."""

    name = "reverse"
    sets = frozenset({"order"})

    def answer(self, plan: VideoPlan, view: str, generator: np.random.Generator) -> int:
        backwards = int(generator.integers(2))
        if backwards:
            plan.placements[view] = plan.placements[view].backwards()
        return backwards


BUILD = one_clip_task(ReverseViews.name, classes=2)
"""0 forwards, 1 backwards."""

COMPONENT = Component(kind="pretext task", options=ReverseOptions, build=BUILD, views=ReverseViews)
