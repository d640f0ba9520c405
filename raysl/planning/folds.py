"""Folds: a row on a data set whose ``fold`` is left open is one part for each fold, averaged in the table.

Any data set has folds whose options have the fields ``fold`` (None: open) and a property ``open_folds``, the number of
folds to choose from while it is open. The number is written in the study, so a plan is made without the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from raysl.config.cell import CellConfig
from raysl.config.component import Chosen
from raysl.config.evaluation import EvaluationConfig
from raysl.data.places import source_name
from raysl.errors import ConfigError

Part = tuple[CellConfig, tuple[EvaluationConfig, ...]]
"""What is trained, and what is measured on it; several evaluations may have one label, each on another fold."""


def folds_of(data: Chosen) -> list[Chosen]:
    """The data set once for each of its folds; itself where its fold is chosen or it has none."""
    count: int = getattr(data.options, "open_folds", 0)
    folds = [data.options.model_copy(update={"fold": fold}) for fold in range(1, count + 1)]
    return [replace(data, options=options) for options in folds] or [data]


def parts_of(cell: CellConfig, evaluations: Sequence[EvaluationConfig]) -> list[Part]:
    """What a row computes at one seed: one part for each fold of its pretraining set, or a single one.

    A part pretrains on its fold's training videos, and its evaluations on the same data set are made on the same fold.
    Evaluations on another data set with open folds are made on each of them, on every part's backbone.

    Raises:
        ConfigError: an evaluation tests on videos that other parts are pretrained on.
    """
    opened = cell.data
    trained = folds_of(opened) if cell.pretraining != "none" else [opened]
    if len(trained) == 1:
        return [(cell, _on_folds(evaluations))]
    for evaluation in evaluations:
        same_videos = (evaluation.data.name, source_name(evaluation.data)) == (opened.name, source_name(opened))
        if same_videos and evaluation.data != opened:
            raise ConfigError(
                f"evaluation {evaluation.label}: it tests on videos of {opened.bound_name}, which is pretrained on "
                "fold by fold, with other options: backbones would be tested on videos that they were trained on. "
                "Evaluate on the pretraining set itself, or choose one fold in both"
            )
    parts = []
    for data in trained:
        on_fold = [one.model_copy(update={"data": data}) if one.data == opened else one for one in evaluations]
        parts.append((cell.model_copy(update={"data": data}), _on_folds(on_fold)))
    return parts


def _on_folds(evaluations: Sequence[EvaluationConfig]) -> tuple[EvaluationConfig, ...]:
    return tuple(one.model_copy(update={"data": data}) for one in evaluations for data in folds_of(one.data))
