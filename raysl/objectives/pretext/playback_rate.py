"""Playback rate: at which of ``sampling.playback_rates`` were the clips of the pair read? (CSTP; PacePred)

Both clips have the same rate. The paper asks about the first clip alone, the code about each, and adds both losses.
"""

from __future__ import annotations

from typing import Literal

from raysl.config.cell import CellConfig
from raysl.config.component import Component, later
from raysl.config.options import option
from raysl.errors import ConfigError
from raysl.objectives.tasks.task_options import HeadOptions, TaskOptions
from raysl.views.pair_sampler import pair_sampler


class PlaybackRateOptions(TaskOptions):
    """Options of the playback rate; with ``supervise: false`` the rates are augmentation alone, as without the task."""

    clips: Literal["both", "query"] = option(
        "both", doc="which clips are asked about; both: two losses, added", source="code: CSTP: both; printed: query"
    )
    head: HeadOptions = option(
        HeadOptions(),
        doc="from a clip's feature to the answer",
        source="printed: CSTP: FC; code: on R(2+1)D and S3D a hidden layer with batch norm and ReLU",
    )


def _check(options: PlaybackRateOptions, cell: CellConfig) -> None:
    sampler, rates = pair_sampler(cell), cell.sampling.playback_rates
    if cell.pretraining != "self_supervised" or not options.supervise:
        return
    if sampler is None:
        raise ConfigError("objective.pretext.playback_rate asks about the clips of the pair: set sampling.pair")
    if len(rates) == 1:
        raise ConfigError(
            f"objective.pretext.playback_rate classifies rates, and sampling.playback_rates has one, {rates[0]}: give "
            "two or more, for instance [1, 2, 4, 8], or switch the task off"
        )
    if sampler.strides != (sampler.clip.stride,):
        assert cell.sampling.pair is not None
        raise ConfigError(
            f"objective.pretext.playback_rate: sampling.pair {cell.sampling.pair.name} sets the strides itself, so "
            "sampling.playback_rates is not the rate of its clips; choose another pair sampler"
        )


COMPONENT = Component(
    kind="pretext task",
    options=PlaybackRateOptions,
    build=later("raysl.objectives.pretext.playback_rate_term", "PlaybackRate"),
    check=_check,
)
