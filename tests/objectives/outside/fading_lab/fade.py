"""Fade: does the clip become brighter or darker?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

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


class FadeOptions(OwnViewOptions):
    """Options of fade."""

    strength: float = option(0.5, doc="share of its brightness that the darkest frame loses", source="ours", gt=0, le=1)
    head: HeadOptions = option(HeadOptions(), doc="from a clip's feature to the answer", source="see its fields")


class FadeViews(TaskViews):
    """Fades a view of its own, or each clip of the pair, in or out with equal chance."""

    def __init__(self, options: FadeOptions) -> None:
        self.options, self.views = options, views_of("fade", options.view)

    @property
    def own_views(self) -> tuple[str, ...]:
        return self.views if self.options.view == "own" else ()

    @property
    def changes(self) -> Mapping[str, frozenset[str]]:
        return dict.fromkeys(self.views, frozenset({"brightness"}))

    def apply(self, plan: VideoPlan, generator: np.random.Generator) -> None:
        for view in self.views:
            if self.options.view == "own":
                plan.placements[view] = plan.place(generator)
            out = int(generator.integers(2))
            plan.change_pixels(view, partial(faded, strength=self.options.strength, out=bool(out)))
            plan.targets[f"fade/{view}"] = out


def faded(clip: Tensor, strength: float, out: bool) -> Tensor:
    """``[3, T, size, size]`` with a brightness that rises (or, with ``out``, falls) evenly over time."""
    brightness = torch.linspace(1 - strength, 1, clip.shape[1])
    return clip * (brightness.flip(0) if out else brightness)[:, None, None]


class Fade(ClassificationTask):
    """Two classes, about each clip: 0 fades in, 1 fades out."""

    name = "fade"

    def __init__(self, options: FadeOptions, context: TermContext) -> None:
        super().__init__()
        self._views = views_of(self.name, options.view)
        self.head = TaskHead(context.feature_dim, 2, options.head)

    @property
    def view_names(self) -> tuple[str, ...]:
        return self._views

    def questions(self, features: Mapping[str, Tensor], batch: Batch) -> list[tuple[Tensor, Tensor]]:
        logits = self.head(torch.cat([features[view] for view in self._views])).chunk(len(self._views))
        return list(zip(logits, targets_of(self.name, self._views, batch), strict=True))


def _views(options: FadeOptions, cell: CellConfig) -> FadeViews:
    return FadeViews(options)


COMPONENT = Component(kind="pretext task", options=FadeOptions, build=Fade, views=_views)
