"""Folds: a row on a data set with an open ``fold`` is one part for each fold, averaged in the table.

A data set has folds if its options have the field ``fold`` (None: open) and a property ``open_folds``, the number of
folds to choose from while it is open; and ``on_fold(number)`` if choosing one is more than setting ``fold``. The number
is written in the study, so a plan is made without the data. The three official splits of UCF101 and HMDB51 are such
folds under the name ``all``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from raysl.config.cell import CellConfig, with_start
from raysl.config.component import Chosen
from raysl.config.evaluation import EvaluationConfig
from raysl.errors import ConfigError

Part = tuple[CellConfig, tuple[EvaluationConfig, ...]]
"""A training and its evaluations; several evaluations may have one label, each on another fold."""


def folds_of(data: Chosen) -> list[Chosen]:
    """The data set once for each of its folds; the data set itself if its fold is chosen or it has none."""
    count: int = getattr(data.options, "open_folds", 0)
    on_fold = getattr(data.options, "on_fold", lambda fold: data.options.model_copy(update={"fold": fold}))
    folds = [on_fold(fold) for fold in range(1, count + 1)]
    return [replace(data, options=options) for options in folds] or [data]


def parts_of(cell: CellConfig, evaluations: Sequence[EvaluationConfig]) -> list[Part]:
    """What a row computes at one seed: one part for each fold of its pretraining set, or a single one.

    A part pretrains on its fold's training videos, and its evaluations on the same data set are made on the same fold.
    The same holds for what it starts from. Evaluations on another data set with open folds are made on each of them, on
    every part's backbone.

    Raises:
        ConfigError: an evaluation tests on videos that the backbone is pretrained on in another fold; it starts from a
            cell on folds and has none.
    """
    if cell.pretraining == "none":
        return [(cell, _on_folds(evaluations))]
    return [
        (_on_fold(cell, data), _on_folds([_on_same_fold(one, data) for one in evaluations]))
        for data in folds_of(cell.data)
    ]


def _on_fold(cell: CellConfig, data: Chosen) -> CellConfig:
    """The cell on one fold of its set, from the same fold of what it starts from."""
    found, start = cell.model_copy(update={"data": data}), cell.start
    if start is None or start.pretraining == "none":
        return found
    if (start.data.name, start.data.source_name) == (data.name, data.source_name) and data in folds_of(start.data):
        return with_start(found, _on_fold(start, data))
    if len(folds_of(start.data)) > 1:
        raise ConfigError(
            f"init.from: it would start from all folds of {start.data.bound_name} at once: pretrain both on the same "
            "folds, or choose one fold for the row that it starts from"
        )
    return with_start(found, _on_fold(start, start.data))


def _on_folds(evaluations: Sequence[EvaluationConfig]) -> tuple[EvaluationConfig, ...]:
    return tuple(one.model_copy(update={"data": data}) for one in evaluations for data in folds_of(one.data))


def _on_same_fold(evaluation: EvaluationConfig, trained: Chosen) -> EvaluationConfig:
    """The evaluation, on the training's fold if that is one of its own."""
    tested = evaluation.data
    if (tested.name, tested.source_name) != (trained.name, trained.source_name) or tested == trained:
        return evaluation
    if trained in folds_of(tested):
        return evaluation.model_copy(update={"data": trained})
    if _is_folded(tested) or _is_folded(trained):
        raise ConfigError(
            f"evaluation {evaluation.label}: it would test on videos of {trained.bound_name} that the backbone was "
            "pretrained on, since the two are split differently: evaluate on the pretraining set itself, or choose one "
            "fold for both"
        )
    return evaluation


def _is_folded(data: Chosen) -> bool:
    return getattr(data.options, "fold", None) is not None or len(folds_of(data)) > 1
