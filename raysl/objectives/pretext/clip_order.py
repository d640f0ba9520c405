"""Clip order: in which temporal order are three short clips?

VCOP, Xu et al. 2019, "Self-Supervised Spatiotemporal Learning via Video Clip Order Prediction", with the constants of
its code (github.com/xudejing/video-clip-order-prediction); a task that TaCo tried and dropped (Table 9). The clips
have half the frames of the cell's, as those of shuffle (inferred); VCOP's are of 16 frames, 8 apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations

import numpy as np

from raysl.config.cell import CellConfig
from raysl.config.component import Component, later
from raysl.config.options import option
from raysl.config.sections import ClipOptions
from raysl.objectives.tasks.task_options import OwnViewOnlyOptions
from raysl.views.consecutive import Consecutive
from raysl.views.task_views import TaskViews, VideoPlan

CLIPS = 3
VIEWS = tuple(f"clip_order/{index}" for index in range(CLIPS))
ORDERS = tuple(permutations(range(CLIPS)))
"""By class: the view at position i shows clip ``order[i]`` of the video."""
ANSWER = "clip_order"


class ClipOrderOptions(OwnViewOnlyOptions):
    """Options of clip order."""

    gap: float = option(
        0.5,
        doc="frames left out between two clips, so that the seam gives no clue, as a share of a clip's",
        unit="share",
        source="code: VCOP: 8 of 16",
        ge=0,
        le=8,
    )
    hidden_dim: int = option(
        512, doc="channels of the layer on each pair of clips", unit="channels", source="code: VCOP", ge=1, le=65536
    )
    dropout: float = option(
        0.5,
        doc="share of those channels set to zero before the last layer",
        unit="share",
        source="code: VCOP",
        ge=0,
        lt=1,
    )

    @property
    def clips(self) -> Consecutive:
        """Their places in the video."""
        return Consecutive(CLIPS, self.gap)


class ClipOrderViews(TaskViews):
    """Makes three clips in a row and shows them in any order, all equally likely."""

    def __init__(self, options: ClipOrderOptions) -> None:
        self.clips = options.clips

    @property
    def own_views(self) -> tuple[str, ...]:
        return VIEWS

    def frames(self, view: str, clip: ClipOptions) -> int:
        return self.clips.frames(clip)

    def spans(self, clip: ClipOptions) -> Mapping[str, int]:
        return {f"three half clips in a row at gap {self.clips.gap:g}": self.clips.span(clip)}

    def apply(self, plan: VideoPlan, generator: np.random.Generator) -> None:
        placements = self.clips.place(plan, generator)
        order = int(generator.integers(len(ORDERS)))
        plan.placements |= {view: placements[clip] for view, clip in zip(VIEWS, ORDERS[order], strict=True)}
        plan.targets[ANSWER] = order


def _check(options: ClipOrderOptions, cell: CellConfig) -> None:
    options.clips.check("clip_order", cell)


def _views(options: ClipOrderOptions, cell: CellConfig) -> ClipOrderViews:
    return ClipOrderViews(options)


COMPONENT = Component(
    kind="pretext task",
    options=ClipOrderOptions,
    build=later("raysl.objectives.pretext.clip_order_term", "ClipOrder"),
    check=_check,
    views=_views,
)
