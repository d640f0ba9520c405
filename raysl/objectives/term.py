"""What every term of the objective is: it names the views it needs and turns their features into a loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from raysl.views.batch import Batch


@dataclass(frozen=True)
class TermOutput:
    """What a term computes for one batch.

    Attributes:
        loss: unweighted scalar on this rank; its mean over ranks is the loss of the global batch.
        metrics: scalars worth a curve on this rank; likewise their means. Names are unique among all terms.
    """

    loss: Tensor
    metrics: dict[str, Tensor] = field(default_factory=dict)


class Term(nn.Module, ABC):
    """Base of contrastive frameworks, temporal losses and pretext tasks.

    A framework: ``COMPONENT.build(options, feature_dim=D) -> Term``.

    Class attributes:
        compares_across_batch: True where another batch size gives another loss (negatives, batch statistics of the
            loss itself), so that gradient accumulation is refused.
    """

    compares_across_batch: bool = True

    @property
    @abstractmethod
    def view_names(self) -> tuple[str, ...]:
        """The views whose features ``forward`` reads."""

    @abstractmethod
    def forward(self, feature_maps: Mapping[str, Tensor], batch: Batch) -> TermOutput:
        """``feature_maps[name]`` is ``[B, D, T', H', W']`` of that view, this rank's videos."""
