"""From a cell's configuration to its backbone and objective, with weights drawn from keyed streams.

The backbone's stream depends on the seed alone: the random-initialised row of a table starts from the same weights as
every pretrained row of the same seed, and another term does not move them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from raysl.config.cell import CellConfig, chosen_terms
from raysl.config.suggest import nearest
from raysl.data.places import NOTHING
from raysl.errors import ConfigError
from raysl.models.backbone import Backbone
from raysl.models.inflate import start_weights
from raysl.models.projector import Projector
from raysl.objectives.detection import Detection
from raysl.objectives.memory.temporal_memory import TemporalMemory
from raysl.objectives.objective import Objective
from raysl.objectives.supervised import Supervised
from raysl.objectives.tasks.checks import is_contrasted
from raysl.objectives.term import Term, TermContext, TransformedViews
from raysl.streams import drawn_from
from raysl.views.pair_sampler import pair_classes
from raysl.views.task_views import task_views

DETECTION = "detection"
"""The detection term, for a training set with boxes of people."""


def build_backbone(cell: CellConfig, files: Mapping[str, Path] = NOTHING) -> Backbone:
    """The cell's backbone on CPU with its initial weights: drawn from the seed, or inflated where its options say so.

    Args:
        files: name of a weights file to the file (the roots of `raysl.data.places.Places`).

    Raises:
        ConfigError: the file is not bound, not there, or holds another network.
    """
    backbone = draw_backbone(cell)
    start_weights(backbone, cell.backbone.options, files)
    return backbone


def draw_backbone(cell: CellConfig) -> Backbone:
    """The cell's backbone on CPU with weights drawn from the stream (seed, "init", "backbone"), never inflated."""
    with drawn_from(cell.training.seed, "init", "backbone"):
        backbone: Backbone = cell.backbone.build()
    return backbone


def build_objective(
    cell: CellConfig,
    videos: Sequence[int],
    total_steps: int,
    *,
    classes: int = 0,
    files: Mapping[str, Path] = NOTHING,
    start: Backbone | None = None,
) -> Objective:
    """The cell's backbone and loss terms on CPU; a term's weights are drawn from the stream (seed, "init", its name).

    What ``cell.train`` leaves out has no gradient.

    Batch norm is local as built; `raysl.models.batch_norm.convert_batch_norm` makes it follow ``batch_norm_group``.

    Supervised pretraining has one term, `Supervised` or, for people's boxes, `Detection`, and reads nothing from
    ``cell.objective``.

    Args:
        videos: catalog indices of the training videos, ascending.
        total_steps: optimisation steps of the whole training.
        classes: of the training set; 0 without labels.
        files: name of a weights file to the file; see `build_backbone`.
        start: the trained backbone of the cell that this one starts from, copied; None: `build_backbone`, also for a
            cell with ``init`` where only shapes matter.

    Raises:
        ConfigError: the objective has no term, a term cannot be built as asked, or the backbone has no such module.
    """
    backbone = build_backbone(cell, files) if start is None else copy.deepcopy(start)
    freeze(backbone, cell.train)
    return objective_on(backbone, cell, videos, total_steps, classes=classes)


def freeze(backbone: Backbone, train: str | tuple[str, ...]) -> None:
    """Freezes what is not trained: nothing of the backbone, all of it (``head``), or all but the modules named.

    Raises:
        ConfigError: the backbone has no module of that name.
    """
    modules = dict(backbone.named_modules())
    for name in () if isinstance(train, str) else train:
        if name not in modules or not name:
            known = [child for child, _ in backbone.named_children()]
            raise ConfigError(f"train: the backbone has no module {name!r}{nearest(name, known)}")
    if train != "all":
        backbone.requires_grad_(False)
    for name in () if isinstance(train, str) else train:
        modules[name].requires_grad_(True)


def objective_on(
    backbone: Backbone, cell: CellConfig, videos: Sequence[int], total_steps: int, *, classes: int = 0
) -> Objective:
    """The cell's loss terms on this very backbone, not on a copy; otherwise as `build_objective`."""
    chosen = chosen_terms(cell.objective)
    if cell.pretraining != "supervised" and not chosen:
        raise ConfigError("objective: every term is null, so there is nothing to minimise; set objective.contrastive")
    windows = None if cell.sampling.windows is None else cell.sampling.windows.options
    context = TermContext(
        feature_dim=backbone.feature_dim,
        backbone=backbone,
        videos=videos,
        batch_size=cell.training.batch_size,
        total_steps=total_steps,
        seed=cell.training.seed,
        classes=classes,
        chunk=cell.training.chunk_in_use,
        clip=cell.clip,
        timesteps=0 if windows is None else windows.timesteps,
        pair_classes=pair_classes(cell),
        transformed=_transformed(cell),
    )
    terms: dict[str, tuple[Term, float]] = {}
    if cell.pretraining == "supervised" and cell.supervised.target == "boxes":
        with drawn_from(cell.training.seed, "init", DETECTION):
            return Objective(backbone, {DETECTION: (Detection(cell.supervised, context), 1.0)})
    if cell.pretraining == "supervised":
        with drawn_from(cell.training.seed, "init", "supervised"):
            return Objective(backbone, {"supervised": (Supervised(cell.supervised, context), 1.0)})
    context = _with_shared(context, cell)
    for name, choice in chosen.items():
        with drawn_from(cell.training.seed, "init", name):
            factor = cell.objective.pretext_weight if name in cell.objective.pretext else 1.0
            terms[name] = (choice.build(context), choice.options.weight * factor)
    return Objective(backbone, terms, {} if windows is None else windows.same_view)


def _transformed(cell: CellConfig) -> dict[str, TransformedViews]:
    """The tasks' own views that the framework contrasts with the original clip."""
    chosen = cell.objective.pretext
    return {
        name: TransformedViews(views.own_views, chosen[name].options.projection_dim)
        for name, views in task_views(cell).items()
        if views.own_views and is_contrasted(chosen[name])
    }


def _with_shared(context: TermContext, cell: CellConfig) -> TermContext:
    """Adds what several terms use: the projector, and the temporal memory bank of its embeddings."""
    projector, memory = cell.objective.projector, cell.objective.memory
    if projector is None:
        return context
    with drawn_from(cell.training.seed, "init", "projector"):
        context = replace(context, shared_projector=Projector(context.feature_dim, projector))
    if memory is None:
        return context
    with drawn_from(cell.training.seed, "init", "memory"):
        return replace(context, memory=TemporalMemory(context.videos, projector.output_dim, memory))
