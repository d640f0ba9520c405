"""Temporal overlap: what share of one clip's duration is within the other's? (STOR; CSTP)"""

from __future__ import annotations

from raysl.config.cell import CellConfig
from raysl.config.component import Component
from raysl.errors import ConfigError
from raysl.objectives.pretext.overlap import OverlapTaskOptions, check_sampler, overlap_task

NAME = "temporal_overlap"


def _check(options: OverlapTaskOptions, cell: CellConfig) -> None:
    check_sampler(NAME, options, cell)
    if cell.pretraining == "self_supervised" and options.supervise and cell.temporal.buffer_frames:
        raise ConfigError(
            "objective.pretext.temporal_overlap: augment.temporal takes each clip from a longer one, so the clips no "
            "longer overlap as sampling.pair placed them; set augment.temporal.buffer_frames to 0"
        )


COMPONENT = Component(kind="pretext task", options=OverlapTaskOptions, build=overlap_task(NAME), check=_check)
