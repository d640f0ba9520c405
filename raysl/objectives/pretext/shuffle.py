"""Shuffle: of three short clips in a row, which has its frames in a wrong order? (odd one out; TaCo)"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from raysl.config.cell import CellConfig
from raysl.config.component import Component
from raysl.config.options import option
from raysl.config.sections import ClipOptions
from raysl.objectives.tasks.pretext_task import ClassificationTask, OwnViewOnlyOptions
from raysl.objectives.term import TermContext
from raysl.views.batch import Batch
from raysl.views.consecutive import Consecutive
from raysl.views.placement import Placement
from raysl.views.task_views import TaskViews, VideoPlan

CLIPS = Consecutive(clips=3)
VIEWS = tuple(f"shuffle/{index}" for index in range(CLIPS.clips))
PAIRS = tuple(combinations(range(CLIPS.clips), 2))
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


class ShuffleHead(nn.Module):
    """``[B, 3, D]`` to logits ``[B, 3]``.

    A linear layer of each clip, the differences of every two, a linear layer, ReLU, a linear layer (TaCo 3.3).

    Args:
        feature_dim: D.
    """

    def __init__(self, feature_dim: int, options: ShuffleOptions) -> None:
        super().__init__()
        self.fusion, hidden_dim = options.fusion, options.hidden_dim
        # Without bias, which differences would cancel.
        self.each = nn.Linear(feature_dim, hidden_dim, bias=False)
        fused = hidden_dim * (len(PAIRS) if self.fusion == "concat_diff" else 1)
        self.layers = nn.Sequential(
            nn.Linear(fused, hidden_dim), nn.ReLU(inplace=True), nn.Linear(hidden_dim, CLIPS.clips)
        )

    def forward(self, features: Tensor) -> Tensor:
        clips = self.each(features)
        differences = torch.stack([clips[:, one] - clips[:, other] for one, other in PAIRS], dim=1)
        fused = differences.flatten(1) if self.fusion == "concat_diff" else differences.sum(dim=1)
        logits: Tensor = self.layers(fused)
        return logits


class Shuffle(ClassificationTask):
    """Three classes: the position of the odd clip."""

    name = "shuffle"

    def __init__(self, options: ShuffleOptions, context: TermContext) -> None:
        super().__init__()
        self.head = ShuffleHead(context.feature_dim, options)

    @property
    def view_names(self) -> tuple[str, ...]:
        return VIEWS

    def questions(self, features: Mapping[str, Tensor], batch: Batch) -> list[tuple[Tensor, Tensor]]:
        return [(self.head(torch.stack([features[view] for view in VIEWS], dim=1)), batch.targets[ANSWER])]


def _check(options: ShuffleOptions, cell: CellConfig) -> None:
    CLIPS.check("shuffle", cell)


def _views(options: ShuffleOptions, cell: CellConfig) -> ShuffleViews:
    return ShuffleViews()


COMPONENT = Component(kind="pretext task", options=ShuffleOptions, build=Shuffle, check=_check, views=_views)
