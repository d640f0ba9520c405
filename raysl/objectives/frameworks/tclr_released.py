"""TCLR's instance contrast as its code has it: between views of one window (TCLR 4.3, and its code).

Two terms of NT-Xent over the global batch, added: between the two global copies; and, at a weight that grows with their
number, between every two of the local views of a video, so that clips of *different* timesteps are positives here while
the local-local loss makes them negatives. With N_T = 4 there are 56 ordered pairs, divided by 4: a weight of 14.

The paper takes its pair from two random timesteps, independent of the window: `raysl.objectives.frameworks.simclr`.
"""

from __future__ import annotations

from typing import Literal

from raysl.config.cell import CellConfig
from raysl.config.component import Component, later
from raysl.config.objective_sections import ProjectorOptions
from raysl.config.options import NO_UNIT, Options, option
from raysl.objectives.temporal.window_checks import check_windows


class TCLRReleasedOptions(Options):
    """Options of TCLR's released instance contrast."""

    temperature: float = option(
        0.1,
        doc="what cosine similarities are divided by before the softmax",
        unit=NO_UNIT,
        source="code: TCLR",
        gt=0,
        le=100,
    )
    projector: ProjectorOptions | Literal["shared"] = option(
        "shared", doc="from a clip's feature to its embedding", source="printed: TCLR: one for all losses"
    )
    weight: float = option(
        1.0, doc="factor of this term in the sum that is minimised", unit=NO_UNIT, source="code: TCLR", ge=0, le=1e6
    )


def _check(options: TCLRReleasedOptions, cell: CellConfig) -> None:
    check_windows("objective.contrastive.framework tclr_released", cell)


COMPONENT = Component(
    kind="framework",
    options=TCLRReleasedOptions,
    build=later("raysl.objectives.frameworks.tclr_released_term", "TCLRReleased"),
    check=_check,
)
