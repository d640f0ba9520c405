"""Supervised training on people's boxes: a sigmoid of each action on a box's feature, binary cross-entropy.

Shapes: B clips of this rank, P boxes of people in them, D feature channels.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from raysl.config.objective_sections import SupervisedOptions
from raysl.distributed import all_reduce_sum, world_size
from raysl.errors import ConfigError
from raysl.models.backbone import Backbone
from raysl.models.classifier import Classifier
from raysl.objectives.supervised import dropout_factors
from raysl.objectives.term import Term, TermContext, TermOutput
from raysl.views.batch import Batch


class Detection(Term):
    """Binary cross-entropy, mean over classes and the boxes of the global batch (code: SlowFast, mmaction2).

    Clips have different numbers of boxes, so a sum over small batches is not a large one: accumulation is refused.

    Metrics: ``boxes`` and ``boxes_dropped``: people in a clip, and those who left its crop, means over the batch.
    """

    compares_across_batch = True

    def __init__(self, options: SupervisedOptions, context: TermContext) -> None:
        super().__init__()
        if context.classes < 2:
            raise ConfigError(f"boxes need a training set of two or more actions, and this one has {context.classes}")
        self.options = options
        self.seed = context.seed
        self.classifier = Classifier(context.feature_dim, context.classes, options.feature_norm)
        self._step = 0

    @property
    def view_names(self) -> tuple[str, ...]:
        return ("query",)

    def reduce(self, feature_map: Tensor) -> Tensor:
        """``[B, D, T', H', W']`` to ``[B, D, H', W']``, the mean over time."""
        return feature_map.mean(dim=2)

    def begin_step(self, step: int, backbone: Backbone) -> None:
        self._step = step

    def scores(self, feature_map: Tensor, row: Tensor, box: Tensor, kept: Tensor | None = None) -> Tensor:
        """Logits ``[P, classes]`` of boxes; arguments as of `roi_features`. ``kept``: as of `Classifier`."""
        logits: Tensor = self.classifier(roi_features(feature_map, row, box, self.options.roi_size), kept)
        return logits

    def forward(self, features: Mapping[str, Tensor], batch: Batch) -> TermOutput:
        boxes, feature_map = batch.boxes, features["query"]
        if boxes is None:
            raise ValueError("a batch without boxes")
        logits = self.scores(feature_map, boxes.row, boxes.box, self._kept(feature_map, boxes.key))
        summed = F.binary_cross_entropy_with_logits(logits.float(), boxes.actions, reduction="sum")
        here = feature_map.new_full((), float(len(boxes.row)))
        everywhere = all_reduce_sum(here.clone()).clamp(min=1.0)
        loss = summed * world_size() / (everywhere * boxes.actions.shape[1])
        clips = batch.size
        return TermOutput(loss, {"boxes": here / clips, "boxes_dropped": boxes.dropped / clips})

    def _kept(self, feature_map: Tensor, keys: Tensor) -> Tensor | None:
        if self.options.dropout == 0.0 or not self.training or len(keys) == 0:
            return None
        drawn = dropout_factors(self.seed, self._step, keys.tolist(), feature_map.shape[1], self.options.dropout)
        return drawn.to(feature_map)


def roi_features(feature_map: Tensor, row: Tensor, box: Tensor, size: int) -> Tensor:
    """``[P, D]``: RoIAlign of a map that is averaged over time, then the largest over space (CVRL 4.4).

    RoIAlign is linear, so the mean over time can come first, where it costs less.

    Args:
        feature_map: ``[B, D, H', W']``, mean over time.
        row: ``[P]`` int64, the clip of each box.
        box: ``[P, 4]``, (left, top, right, bottom) as shares of the clip.
        size: bins in height and width that RoIAlign reads a box at.
    """
    from torchvision.ops import roi_align  # seconds: not where a study is only read

    height, width = feature_map.shape[-2:]
    scale = box.new_tensor([width, height, width, height])
    regions = torch.cat([row.to(box.dtype)[:, None], box * scale], dim=1)
    features: Tensor = roi_align(feature_map.float(), regions, (size, size), aligned=True)
    return features.amax(dim=(2, 3))
