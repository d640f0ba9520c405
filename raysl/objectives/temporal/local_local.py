"""TCLR's local-local loss: the local clips of a window are contrasted with one another (TCLR Eq. 2)."""

from __future__ import annotations

from typing import Literal

from raysl.config.cell import CellConfig
from raysl.config.component import Component, later
from raysl.config.objective_sections import ProjectorOptions
from raysl.config.options import NO_UNIT, Options, option
from raysl.objectives.temporal.window_checks import advise_temperature, check_windows


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


def _check(options: LocalLocalOptions, cell: CellConfig) -> None:
    check_windows("objective.local_local", cell)


def _advise(options: LocalLocalOptions, cell: CellConfig) -> str | None:
    return advise_temperature(options.temperature, cell)


COMPONENT = Component(
    kind="temporal loss",
    options=LocalLocalOptions,
    build=later("raysl.objectives.temporal.local_local_term", "LocalLocal"),
    check=_check,
    advise=_advise,
)
