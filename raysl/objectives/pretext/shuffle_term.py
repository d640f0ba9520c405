"""The term of `shuffle`; its options and sources stand in `raysl.objectives.pretext.shuffle`."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import torch
from torch import Tensor, nn

from raysl.objectives.pretext.shuffle import ANSWER, CLIPS, VIEWS, ShuffleOptions
from raysl.objectives.tasks.pretext_task import ClassificationTask
from raysl.objectives.term import TermContext
from raysl.views.batch import Batch

PAIRS = tuple(combinations(range(CLIPS.clips), 2))


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
