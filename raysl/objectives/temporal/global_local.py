"""TCLR's global-local loss: each timestep of a global clip is matched with its local clip (TCLR Eq. 3 and 4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from raysl.config.cell import CellConfig
from raysl.config.component import Component
from raysl.config.objective_sections import ProjectorOptions
from raysl.config.options import NO_UNIT, Options, option
from raysl.objectives.losses.temporal_contrast import global_local
from raysl.objectives.temporal.window_features import (
    COPIES,
    advise_temperature,
    check_timesteps,
    embed,
    local_names,
    local_rows,
    pooled_in_space,
    timestep_rows,
)
from raysl.objectives.term import Term, TermContext, TermOutput
from raysl.views.batch import Batch


class GlobalLocalOptions(Options):
    """Options of the global-local loss."""

    temperature: float = option(
        0.1,
        doc="what cosine similarities are divided by before the softmax",
        unit=NO_UNIT,
        source="inferred: TCLR Table 11, best row, second column",
        gt=0,
        le=100,
    )
    projector: ProjectorOptions | Literal["shared"] = option(
        "shared",
        doc="from a clip's or a timestep's feature to its embedding",
        source="printed: TCLR: one for all losses",
    )
    variant: Literal["paper", "released"] = option(
        "paper",
        doc="paper: one global copy with both local copies, averaged; released: two with two, added up",
        source="inferred: Eq. 3 to 5; code: released",
    )
    weight: float = option(
        1.0,
        doc="factor of this term in the sum that is minimised",
        unit=NO_UNIT,
        source="inferred: TCLR Eq. 5",
        ge=0,
        le=1e6,
    )


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


def _check(options: GlobalLocalOptions, cell: CellConfig) -> None:
    check_timesteps("objective.global_local", cell)


def _advise(options: GlobalLocalOptions, cell: CellConfig) -> str | None:
    return advise_temperature(options.temperature, cell)


COMPONENT = Component(kind="temporal loss", options=GlobalLocalOptions, build=GlobalLocal, check=_check, advise=_advise)
