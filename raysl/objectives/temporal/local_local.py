"""TCLR's local-local loss: the local clips of a window are contrasted with one another (TCLR Eq. 2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from raysl.config.cell import CellConfig
from raysl.config.component import Component
from raysl.config.objective_sections import ProjectorOptions
from raysl.config.options import NO_UNIT, Options, option
from raysl.objectives.losses.temporal_contrast import local_local
from raysl.objectives.temporal.window_features import (
    COPIES,
    advise_temperature,
    check_windows,
    embed,
    local_names,
    local_rows,
    pooled_in_space,
)
from raysl.objectives.term import Term, TermContext, TermOutput
from raysl.views.batch import Batch


class LocalLocalOptions(Options):
    """Options of the local-local loss."""

    temperature: float = option(
        0.1,
        doc="what cosine similarities are divided by before the softmax",
        unit=NO_UNIT,
        source="inferred: TCLR Table 11, best row, second column",
        gt=0,
        le=100,
    )
    projector: ProjectorOptions | Literal["shared"] = option(
        "shared", doc="from a clip's feature to its embedding", source="printed: TCLR: one for all losses"
    )
    variant: Literal["paper", "released"] = option(
        "paper",
        doc="paper: sum over timesteps, mean over videos; released: mean over timesteps, sum over the global batch",
        source="inferred: Eq. 2 and 5; code: released",
    )
    weight: float = option(
        1.0,
        doc="factor of this term in the sum that is minimised",
        unit=NO_UNIT,
        source="inferred: TCLR Eq. 5",
        ge=0,
        le=1e6,
    )


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


def _check(options: LocalLocalOptions, cell: CellConfig) -> None:
    check_windows("objective.local_local", cell)


def _advise(options: LocalLocalOptions, cell: CellConfig) -> str | None:
    return advise_temperature(options.temperature, cell)


COMPONENT = Component(kind="temporal loss", options=LocalLocalOptions, build=LocalLocal, check=_check, advise=_advise)
