"""Spatial overlap: what share of one clip's crop does the other's show? (STOR; CSTP)"""

from __future__ import annotations

from raysl.config.cell import CellConfig
from raysl.config.component import Component
from raysl.objectives.pretext.overlap import OverlapTaskOptions, check_sampler, overlap_task

NAME = "spatial_overlap"


def _check(options: OverlapTaskOptions, cell: CellConfig) -> None:
    check_sampler(NAME, options, cell)


COMPONENT = Component(kind="pretext task", options=OverlapTaskOptions, build=overlap_task(NAME), check=_check)
