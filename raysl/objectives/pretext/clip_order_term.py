"""The term of `clip_order`; its options and sources stand in `raysl.objectives.pretext.clip_order`."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import torch
from torch import Tensor, nn

from raysl.models.backbone import Backbone
from raysl.objectives.pretext.clip_order import ANSWER, CLIPS, ORDERS, VIEWS, ClipOrderOptions
from raysl.objectives.supervised import dropout_factors
from raysl.objectives.tasks.pretext_task import ClassificationTask
from raysl.objectives.term import TermContext
from raysl.views.batch import Batch, on_device

PAIRS = tuple(combinations(range(CLIPS), 2))


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
            compared = compared * on_device(factors, compared.device).to(compared)
        return [(self.last(compared), batch.targets[ANSWER])]
