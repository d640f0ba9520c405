"""Shuffle: of three short clips in a row, which has its frames in a wrong order? (odd one out; TaCo)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from raysl.config.cell import CellConfig
from raysl.config.component import Component, later
from raysl.config.options import option
from raysl.config.sections import ClipOptions
from raysl.objectives.tasks.task_options import OwnViewOnlyOptions
from raysl.views.consecutive import Consecutive
from raysl.views.placement import Placement
from raysl.views.task_views import TaskViews, VideoPlan

CLIPS = Consecutive(clips=3)
VIEWS = tuple(f"shuffle/{index}" for index in range(CLIPS.clips))
ANSWER = "shuffle"


class ShuffleOptions(OwnViewOnlyOptions):
    """Options of shuffle."""

    fusion: Literal["concat_diff", "sum_diff"] = option(
        "concat_diff",
        doc="the pairwise differences of the clips side by side, or their sum, from which the middle clip cancels",
        source="ours; printed: TaCo sum_diff",
    )
    hidden_dim: int = option(
        512, doc="channels of a difference and of the hidden layer", unit="channels", source="ours", ge=1, le=65536
    )


class ShuffleViews(TaskViews):
    """Makes three clips in a row and permutes the frames of one: each clip, and each order but the right, as likely."""

    @property
    def own_views(self) -> tuple[str, ...]:
        return VIEWS

    @property
    def changes(self) -> Mapping[str, frozenset[str]]:
        return dict.fromkeys(VIEWS, frozenset({"order"}))

    def frames(self, view: str, clip: ClipOptions) -> int:
        return CLIPS.frames(clip)

    def spans(self, clip: ClipOptions) -> Mapping[str, int]:
        return {"three half clips in a row": CLIPS.span(clip)}

    def apply(self, plan: VideoPlan, generator: np.random.Generator) -> None:
        placements = CLIPS.place(plan, generator)
        odd = int(generator.integers(len(placements)))
        placements[odd] = permuted(placements[odd], generator)
        plan.placements |= dict(zip(VIEWS, placements, strict=True))
        plan.targets[ANSWER] = odd


def permuted(placement: Placement, generator: np.random.Generator) -> Placement:
    """All frames of a clip in a wrong order; all wrong orders are equally likely.

    Args:
        placement: of two or more frames.
    """
    order = np.arange(placement.frames)
    while (order[:-1] < order[1:]).all():
        order = generator.permutation(placement.frames)
    return placement._replace(kept=tuple(order.tolist()))


def _check(options: ShuffleOptions, cell: CellConfig) -> None:
    CLIPS.check("shuffle", cell)


def _views(options: ShuffleOptions, cell: CellConfig) -> ShuffleViews:
    return ShuffleViews()


COMPONENT = Component(
    kind="pretext task",
    options=ShuffleOptions,
    build=later("raysl.objectives.pretext.shuffle_term", "Shuffle"),
    check=_check,
    views=_views,
)
