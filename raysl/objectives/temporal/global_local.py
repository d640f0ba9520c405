"""TCLR's global-local loss: each timestep of a global clip is matched with its local clip (TCLR Eq. 3 and 4)."""

from __future__ import annotations

from typing import Literal

from raysl.config.cell import CellConfig
from raysl.config.component import Component, later
from raysl.config.objective_sections import ProjectorOptions
from raysl.config.options import NO_UNIT, Options, option
from raysl.objectives.temporal.window_checks import advise_temperature, check_timesteps


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


def _check(options: GlobalLocalOptions, cell: CellConfig) -> None:
    check_timesteps("objective.global_local", cell)


def _advise(options: GlobalLocalOptions, cell: CellConfig) -> str | None:
    return advise_temperature(options.temperature, cell)


COMPONENT = Component(
    kind="temporal loss",
    options=GlobalLocalOptions,
    build=later("raysl.objectives.temporal.global_local_term", "GlobalLocal"),
    check=_check,
    advise=_advise,
)
