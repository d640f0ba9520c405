"""Speed: at which of several sampling rates was a clip taken, compared with a clip of its video at rate 1? (TaCo)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from pydantic import Field, field_validator

from raysl.config.cell import CellConfig
from raysl.config.component import Component, later
from raysl.config.options import NO_UNIT, option
from raysl.config.sections import ClipOptions
from raysl.errors import ConfigError
from raysl.objectives.tasks.task_options import OwnViewOnlyOptions
from raysl.views.pair_sampler import pair_samplers
from raysl.views.placement import Placement
from raysl.views.task_views import TaskViews, VideoPlan

VIEW, ORDINARY = "speed", "query"
ANSWER = f"speed/{VIEW}"


class SpeedOptions(OwnViewOnlyOptions):
    """Options of speed."""

    rates: tuple[Annotated[int, Field(ge=1, le=64)], ...] = option(
        (1, 2, 4),
        doc="factors of clip.stride, the classes, all equally likely; at one that is too long for a video its clip "
        "wraps around",
        unit=NO_UNIT,
        source="inferred: TaCo prints 1x, 2x, 4x, ...; 8x does not fit Kinetics",
        min_length=2,
    )
    hidden_dim: int = option(
        512, doc="channels of the difference and of the hidden layer", unit="channels", source="ours", ge=1, le=65536
    )

    @field_validator("rates")
    @classmethod
    def _increase(cls, rates: tuple[int, ...]) -> tuple[int, ...]:
        if list(rates) != sorted(set(rates)):
            raise ValueError(f"rates must increase: {list(rates)}")
        return rates


class SpeedViews(TaskViews):
    """Makes a clip at a drawn rate, so that the position of its middle gives no clue to the rate.

    The middle is that of a clip at the highest rate at a uniform place (ours): clips placed anywhere would
    show the ends of a video at low rates more often. In a video too short for the highest rate, the clip is placed
    anywhere.
    """

    def __init__(self, options: SpeedOptions) -> None:
        self.rates = options.rates

    @property
    def own_views(self) -> tuple[str, ...]:
        return (VIEW,)

    @property
    def changes(self) -> Mapping[str, frozenset[str]]:
        return {VIEW: frozenset({"rate"})}

    def spans(self, clip: ClipOptions) -> Mapping[str, int]:
        return {f"rate {rate}": _at_rate(clip, rate).span for rate in self.rates}

    def apply(self, plan: VideoPlan, generator: np.random.Generator) -> None:
        drawn = int(generator.integers(len(self.rates)))
        plan.placements[VIEW] = self._place(plan, self.rates[drawn], generator)
        plan.targets[ANSWER] = drawn

    def _place(self, plan: VideoPlan, rate: int, generator: np.random.Generator) -> Placement:
        stride, longest = (_at_rate(plan.clip, of).stride for of in (rate, self.rates[-1]))
        if plan.length < _at_rate(plan.clip, self.rates[-1]).span:
            return plan.place(generator, stride=stride)
        around = plan.place(generator, stride=longest)
        before = (around.frames - 1) * (longest - stride) // 2
        return around._replace(start=around.start + before, stride=stride)


def _at_rate(clip: ClipOptions, rate: int) -> ClipOptions:
    return clip.model_copy(update={"stride": clip.stride * rate})


def _check(options: SpeedOptions, cell: CellConfig) -> None:
    if not options.supervise:
        return
    strides = {stride for sampler in pair_samplers(cell) for stride in sampler.strides}
    windows = cell.sampling.windows
    if windows is not None and ORDINARY in windows.options.same_view:
        raise ConfigError(
            "objective.pretext.speed compares with a clip of the pair, and sampling.windows puts another in its place; "
            "set sampling.windows.instance_pair: random"
        )
    if not strides:
        raise ConfigError("objective.pretext.speed compares with a clip of the pair: set sampling.pair")
    if strides != {cell.clip.stride}:
        raise ConfigError(
            "objective.pretext.speed: rate 1 is that of the pair's clips, and sampling.playback_rates or sampling.pair "
            f"gives them the strides {', '.join(map(str, sorted(strides)))} instead of clip.stride "
            f"{cell.clip.stride}; keep them at that, or set objective.pretext.speed.supervise: false"
        )


def _views(options: SpeedOptions, cell: CellConfig) -> SpeedViews:
    return SpeedViews(options)


COMPONENT = Component(
    kind="pretext task",
    options=SpeedOptions,
    build=later("raysl.objectives.pretext.speed_term", "Speed"),
    check=_check,
    views=_views,
)
