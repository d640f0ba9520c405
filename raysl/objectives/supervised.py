"""Supervised training: cross-entropy of a linear classifier on the pooled feature of one clip.

Shapes: B videos of this rank, D feature channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from raysl.config.objective_sections import SupervisedOptions
from raysl.errors import ConfigError
from raysl.models.backbone import Backbone
from raysl.models.classifier import Classifier
from raysl.objectives.term import Term, TermContext, TermOutput
from raysl.streams import stream
from raysl.views.batch import Batch, on_device

LABEL = "label"
"""The target that holds the videos' classes."""


class Supervised(Term):
    """Mean cross-entropy over the global batch, from the view ``query`` and the target ``label``.

    Dropout is drawn separately for each video and step, so it does not depend on the number of ranks.

    Metric: ``accuracy``, the share of clips classified correctly, of the batch as trained on.
    """

    compares_across_batch = False

    def __init__(self, options: SupervisedOptions, context: TermContext) -> None:
        super().__init__()
        if context.classes < 2:
            raise ConfigError(
                f"supervised training needs a training set of two or more classes, and this one has {context.classes}"
            )
        self.options = options
        self.seed = context.seed
        self.classifier = Classifier(context.feature_dim, context.classes, options.feature_norm)
        self._step = 0

    @property
    def view_names(self) -> tuple[str, ...]:
        return ("query",)

    def begin_step(self, step: int, backbone: Backbone) -> None:
        self._step = step

    def forward(self, features: Mapping[str, Tensor], batch: Batch) -> TermOutput:
        labels = batch.targets[LABEL]
        logits = self.classifier(features["query"], self._kept(features["query"], batch))
        loss = F.cross_entropy(logits, labels, label_smoothing=self.options.label_smoothing)
        accuracy = (logits.detach().argmax(dim=1) == labels).to(loss.dtype).mean()
        return TermOutput(loss, {"accuracy": accuracy})

    def _kept(self, features: Tensor, batch: Batch) -> Tensor | None:
        if self.options.dropout == 0.0 or not self.training:
            return None
        videos = batch.views["query"].video.tolist()
        kept = dropout_factors(self.seed, self._step, videos, features.shape[1], self.options.dropout)
        return on_device(kept, features.device).to(features)


def dropout_factors(seed: int, step: int, videos: Sequence[int], channels: int, share: float) -> Tensor:
    """``[B, channels]`` float32: 0 with probability ``share``, else 1 / (1 - share); each row its own stream's."""
    drawn = [stream(seed, step, video, "dropout").random(channels) >= share for video in videos]
    return torch.stack([torch.from_numpy(kept) for kept in drawn]).float() / (1.0 - share)
