"""Representations without learning, below every table on real video: the baseline for its accuracies.

On sets of few classes, filmed in similar ways, the mean colour of a clip or a map of where it moves already predicts
much of the class; a row that is no better has learned nothing that this table shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from raysl.config.cell import CellConfig
from raysl.config.component import Chosen, find
from raysl.config.evaluation import EvaluationConfig
from raysl.errors import ConfigError
from raysl.planning.rows import Row


class Features(NamedTuple):
    """A backbone without weights, and a description of its features."""

    backbone: str
    note: str


TRIVIAL: Mapping[str, Features] = MappingProxyType(
    {
        "mean colour, nothing learned": Features("mean_colour", "red, green and blue averaged over the clip"),
        "motion maps, nothing learned": Features(
            "motion_maps", "absolute frame differences averaged over the clip, on a grid of 32 x 32"
        ),
    }
)
"""By the name of their line in a table."""


def trivial_rows(like: Row) -> tuple[Row, ...]:
    """Rows of weight-free backbones on the clips of a study's row, in RGB; none if no evaluation applies.

    Evaluations apply if their protocol classifies by features of a frozen backbone (`Component.trivial`), on data that
    is not rendered here, and accepts such a backbone (it does not if it reads a projection).
    """
    found = []
    for name, features in TRIVIAL.items():
        cell = _cell(like.cell, features.backbone)
        evaluations = tuple(one for one in like.evaluations if _measures(one, cell))
        found += [Row(name, cell, evaluations)] if evaluations else []
    return tuple(found)


def _cell(like: CellConfig, backbone: str) -> CellConfig:
    chosen = Chosen("backbone", backbone, find("backbone", backbone).options())
    clip = like.clip.model_copy(update={"input": "rgb"})
    return like.model_copy(
        update={"pretraining": "none", "init": None, "train": "all", "backbone": chosen, "clip": clip}
    )


def _measures(evaluation: EvaluationConfig, cell: CellConfig) -> bool:
    component = evaluation.protocol.component
    if not component.trivial or not getattr(evaluation.data.build(), "needs_root", True):
        return False
    try:
        if component.check is not None:
            component.check(evaluation.protocol.options, cell)
        if component.downstream is not None:
            component.downstream(evaluation.protocol.options, cell, evaluation.data)
    except ConfigError:
        return False
    return True
