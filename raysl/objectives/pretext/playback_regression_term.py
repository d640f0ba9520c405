"""The term of `playback_regression`; its options: `raysl.objectives.pretext.playback_regression`."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from raysl.distributed import all_gather
from raysl.models.shape import feature_shape
from raysl.objectives.pretext.playback_regression import PlaybackRegressionOptions
from raysl.objectives.term import Term, TermContext, TermOutput
from raysl.views.batch import Batch


class PlaybackRegression(Term):
    """``(s - s')^2 / 2``, s the rate as drawn, mean over the clips of both views.

    The head reads the whole feature map, flattened: a linear layer, ReLU, a linear layer.

    Metrics: ``playback_error``, the root of the mean squared error over the global batch, and
    ``playback_error_of_mean``, that of a constant guess, the mean rate of the batch.
    """

    compares_across_batch = False

    def __init__(self, options: PlaybackRegressionOptions, context: TermContext) -> None:
        super().__init__()
        channels, time, height, width = feature_shape(context.backbone, context.clip.frames, context.clip.size)
        self.head = nn.Sequential(
            nn.Linear(channels * time * height * width, options.hidden_dim),
            nn.ReLU(inplace=True),
            nn.Linear(options.hidden_dim, 1),
        )

    @property
    def view_names(self) -> tuple[str, ...]:
        return ("query", "key")

    def reduce(self, feature_map: Tensor) -> Tensor:
        return feature_map.flatten(1)

    def forward(self, features: Mapping[str, Tensor], batch: Batch) -> TermOutput:
        guess = self.head(torch.cat([features[name] for name in self.view_names]))[:, 0]
        guess = guess.to(torch.promote_types(guess.dtype, torch.float32))
        rate = torch.cat([batch.views[name].distortion for name in self.view_names]).to(guess)
        metrics = _errors(guess.detach(), rate) if self.measures else {}
        return TermOutput((rate - guess).square().mean() / 2, metrics)


def _errors(guess: Tensor, rate: Tensor) -> dict[str, Tensor]:
    """The metrics, equal on every rank. Collective: a root of means is no mean of roots."""
    guesses, rates = all_gather(torch.stack([guess, rate], dim=1)).unbind(dim=1)
    return {
        "playback_error": (rates - guesses).square().mean().sqrt(),
        "playback_error_of_mean": rates.std(correction=0),
    }
