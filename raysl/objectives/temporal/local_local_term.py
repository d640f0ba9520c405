"""The term of `local_local`; its options and sources stand in `raysl.objectives.temporal.local_local`."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from raysl.objectives.losses.temporal_contrast import local_local
from raysl.objectives.temporal.local_local import LocalLocalOptions
from raysl.objectives.temporal.window_features import COPIES, embed, local_names, local_rows, pooled_in_space
from raysl.objectives.term import Term, TermContext, TermOutput
from raysl.views.batch import Batch


class LocalLocal(Term):
    """Local clip p and its copy attract, the other local clips of the video, in both copies, repel."""

    def __init__(self, options: LocalLocalOptions, context: TermContext) -> None:
        super().__init__()
        self.options, self._timesteps, self._batch_size = options, context.timesteps, context.batch_size
        self.projector = context.projector(options.projector)
        self.compares_across_batch = options.variant == "released"  # a sum: its gradient is not that of a mean

    @property
    def view_names(self) -> tuple[str, ...]:
        return tuple(name for copy in COPIES for name in local_names(self._timesteps, copy))

    def reduce(self, feature_map: Tensor) -> Tensor:
        return pooled_in_space(feature_map)

    def forward(self, features: Mapping[str, Tensor], batch: Batch) -> TermOutput:
        rows = embed(self.projector, local_rows(features, self.view_names))
        first, copy = torch.stack(rows, dim=1).chunk(2, dim=1)
        loss = local_local(first, copy, self.options.temperature).mean()
        if self.options.variant == "released":
            loss = loss * (self._batch_size / self._timesteps)
        return TermOutput(loss)
