"""The rate falls by a factor at each of several epochs, after a linear warm-up."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator

from raysl.config.cell import CellConfig
from raysl.config.component import Component
from raysl.config.options import NO_UNIT, option
from raysl.errors import ConfigError
from raysl.training.warmup import WarmedUp, WarmupOptions, check_warmup


class MultistepOptions(WarmupOptions):
    """Options of the multistep schedule."""

    milestones: tuple[Annotated[float, Field(gt=0, le=1e6)], ...] = option(
        doc="epochs of the training, warm-up counted, after which the rate falls; fractions are allowed",
        unit="epochs",
        source="per recipe; printed: TaCo fine-tunes with 50, 100, 150 of 200",
        min_length=1,
        examples=[(50.0, 100.0, 150.0)],
    )
    factor: float = option(
        0.1,
        doc="what the rate is multiplied by at each",
        unit=NO_UNIT,
        source="printed: TaCo; SSTL 0.15 when fine-tuning",
        gt=0,
        lt=1,
    )

    @field_validator("milestones")
    @classmethod
    def _increasing(cls, milestones: tuple[float, ...]) -> tuple[float, ...]:
        if list(milestones) != sorted(set(milestones)):
            raise ValueError(f"milestones must increase: {list(milestones)}")
        return milestones


class Multistep(WarmedUp):
    """``factor`` to the power of the milestones that have been passed."""

    def __init__(self, options: MultistepOptions, total_steps: int, steps_per_epoch: int) -> None:
        super().__init__(options, total_steps, steps_per_epoch)
        self.factor = options.factor
        self.at = [round(epoch * steps_per_epoch) for epoch in options.milestones]

    def after_warmup(self, step: int) -> float:
        return float(self.factor ** sum(step >= at for at in self.at))


def check_milestones(options: Any, cell: CellConfig) -> None:
    """Refuses what `check_warmup` refuses, and milestones of which none is ever reached, if that is known.

    The last ones may be after the end: a scale that rounds a few epochs down must not be refused for it.

    Raises:
        ConfigError: naming both.
    """
    check_warmup(options, cell)
    epochs = cell.training.epochs
    if epochs is not None and options.milestones[0] >= epochs:
        raise ConfigError(
            f"schedule.milestones: training of {epochs} epochs never passes the first one, {options.milestones[0]:g}: "
            "bring them forward, or train longer"
        )


COMPONENT = Component(kind="schedule", options=MultistepOptions, build=Multistep, check=check_milestones)
