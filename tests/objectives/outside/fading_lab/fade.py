"""Fade: does the clip become brighter or darker?"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor

from raysl.config.component import Component
from raysl.config.options import option
from raysl.objectives.tasks.one_clip import OneClipOptions, OneClipViews, one_clip_task
from raysl.views.task_views import VideoPlan


class FadeOptions(OneClipOptions):
    """Options of fade."""

    strength: float = option(
        0.5, doc="share of its brightness that the darkest frame loses", unit="share", source="ours", gt=0, le=1
    )


class FadeViews(OneClipViews):
    """Fades a view of its own, or each clip of the pair, in or out with equal chance."""

    name = "fade"
    sets = frozenset({"brightness"})
    options: FadeOptions

    def answer(self, plan: VideoPlan, view: str, generator: np.random.Generator) -> int:
        out = int(generator.integers(2))
        plan.change_pixels(view, partial(faded, strength=self.options.strength, out=bool(out)))
        return out


def faded(clip: Tensor, strength: float, out: bool) -> Tensor:
    """``[3, T, size, size]`` with a brightness that rises (or, with ``out``, falls) evenly over time."""
    brightness = torch.linspace(1 - strength, 1, clip.shape[1])
    return clip * (brightness.flip(0) if out else brightness)[:, None, None]


BUILD = one_clip_task(FadeViews.name, classes=2)
"""0 fades in, 1 fades out."""

COMPONENT = Component(kind="pretext task", options=FadeOptions, build=BUILD, views=FadeViews)
