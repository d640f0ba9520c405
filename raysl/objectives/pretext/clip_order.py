"""Clip order: in which temporal order are three short clips?

VCOP, Xu et al. 2019, "Self-Supervised Spatiotemporal Learning via Video Clip Order Prediction", with the constants of
its code (github.com/xudejing/video-clip-order-prediction); a task that TaCo tried and dropped (Table 9). The clips
have half the frames of the cell's, as those of shuffle (inferred); VCOP's are of 16 frames, 8 apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations, permutations

import numpy as np
import torch
from torch import Tensor, nn

from raysl.config.cell import CellConfig
from raysl.config.component import Component
from raysl.config.options import option
from raysl.config.sections import ClipOptions
from raysl.models.backbone import Backbone
from raysl.objectives.supervised import dropout_factors
from raysl.objectives.tasks.pretext_task import ClassificationTask, OwnViewOnlyOptions
from raysl.objectives.term import TermContext
from raysl.views.batch import Batch
from raysl.views.consecutive import Consecutive
from raysl.views.task_views import TaskViews, VideoPlan

CLIPS = 3
VIEWS = tuple(f"clip_order/{index}" for index in range(CLIPS))
PAIRS = tuple(combinations(range(CLIPS), 2))
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


class ClipOrder(ClassificationTask):
    """Six classes.

    Each two of the clips side by side pass one linear layer and ReLU; the pairs side by side, dropout and a linear
    layer. Dropout is drawn separately for each video and step, so it does not depend on the number of ranks.
    """

    name = "clip_order"

    def __init__(self, options: ClipOrderOptions, context: TermContext) -> None:
        super().__init__()
        self.dropout = options.dropout
        self.pair = nn.Sequential(nn.Linear(2 * context.feature_dim, options.hidden_dim), nn.ReLU(inplace=True))
        self.last = nn.Linear(len(PAIRS) * options.hidden_dim, len(ORDERS))
        self._seed, self._step = context.seed, 0

    @property
    def view_names(self) -> tuple[str, ...]:
        return VIEWS

    def begin_step(self, step: int, backbone: Backbone) -> None:
        self._step = step

    def questions(self, features: Mapping[str, Tensor], batch: Batch) -> list[tuple[Tensor, Tensor]]:
        clips = [features[view] for view in VIEWS]
        pairs = torch.stack([torch.cat([clips[one], clips[other]], dim=1) for one, other in PAIRS], dim=1)
        compared = self.pair(pairs).flatten(1)
        if self.training and self.dropout > 0:
            videos = batch.views[VIEWS[0]].video.tolist()
            factors = dropout_factors(self._seed, self._step, videos, compared.shape[1], self.dropout)
            compared = compared * factors.to(compared)
        return [(self.last(compared), batch.targets[ANSWER])]


def _check(options: ClipOrderOptions, cell: CellConfig) -> None:
    options.clips.check("clip_order", cell)


def _views(options: ClipOrderOptions, cell: CellConfig) -> ClipOrderViews:
    return ClipOrderViews(options)


COMPONENT = Component(kind="pretext task", options=ClipOrderOptions, build=ClipOrder, check=_check, views=_views)
