"""The term of `global_local`; its options and sources stand in `raysl.objectives.temporal.global_local`."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from raysl.objectives.losses.temporal_contrast import global_local
from raysl.objectives.temporal.global_local import GlobalLocalOptions
from raysl.objectives.temporal.window_features import (
    COPIES,
    embed,
    local_names,
    local_rows,
    pooled_in_space,
    timestep_rows,
)
from raysl.objectives.term import Term, TermContext, TermOutput
from raysl.views.batch import Batch


class GlobalLocal(Term):
    """Timestep p of the global clip's feature map and local clip p attract, those of other timesteps repel."""

    compares_across_batch = False

    def __init__(self, options: GlobalLocalOptions, context: TermContext) -> None:
        super().__init__()
        self.options, self._timesteps = options, context.timesteps
        self.projector = context.projector(options.projector)

    @property
    def _global_names(self) -> tuple[str, ...]:
        return ("global",) if self.options.variant == "paper" else tuple(f"global{copy}" for copy in COPIES)

    @property
    def _local_names(self) -> tuple[str, ...]:
        return tuple(name for copy in COPIES for name in local_names(self._timesteps, copy))

    @property
    def view_names(self) -> tuple[str, ...]:
        return (*self._global_names, *self._local_names)

    def reduce(self, feature_map: Tensor) -> Tensor:
        return pooled_in_space(feature_map)

    def forward(self, features: Mapping[str, Tensor], batch: Batch) -> TermOutput:
        slices = [row for name in self._global_names for row in timestep_rows(features[name], self._timesteps)]
        rows = embed(self.projector, [*slices, *local_rows(features, self._local_names)])
        by_copy = torch.stack(rows, dim=1).reshape(
            len(rows[0]), -1, self._timesteps, rows[0].shape[1]
        )  # [B, copies, N, d]
        copies = len(self._global_names)
        losses = global_local(by_copy[:, :copies], by_copy[:, copies:], self.options.temperature)
        pairs = losses.flatten(1)
        return TermOutput((pairs.mean(dim=1) if self.options.variant == "paper" else pairs.sum(dim=1)).mean())
