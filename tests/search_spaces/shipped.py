"""The shipped studies, row by row, with what of a row can be compared with its study's base."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from raysl.config.cell import CellConfig
from raysl.config.document import load_document
from raysl.config.identity import identity, resolved
from raysl.config.load import resolve_cell
from raysl.config.scale import AS_WRITTEN, load_scale
from raysl.config.sections import ClipOptions
from raysl.config.yaml_reader import KeyPath, Origin, Tree, copied
from raysl.objectives.build import build_objective
from raysl.planning.designs import read_design
from raysl.planning.rows import resolve_row
from raysl.planning.study import find_studies
from raysl.views.placement import Placement
from raysl.views.temporal import augment_in_time
from tests.cells import TINY_BACKBONE

SEARCH_SPACES = Path(__file__).resolve().parents[2] / "search_spaces"
STUDIES = find_studies([SEARCH_SPACES])
BASE = "the base itself"
NARROW = {"name": TINY_BACKBONE}
"""In the place of a backbone that is not the row's factor: a step then takes a fraction of a second. As many timesteps
are left at its end as at that of the other."""

VIDEOS = {"name": "synthetic", "classes": 6, "train_per_class": 4, "test_per_class": 1, "frames": 72, "height": 40,
          "width": 48, "sprites": 2}  # fmt: skip
"""In the place of a rendered set that is not the row's factor and has no longer videos: one set serves all rows."""

CLIP = ClipOptions(frames=4, stride=2, size=32, resize=32)
"""For samplers and augmentations, so that a row that changes the clip is seen to change nothing else."""


@dataclass(frozen=True)
class ShippedRow:
    """Attributes: paths: the dotted keys that the row writes, as paths; of a design, those that change its base."""

    study: str
    name: str
    paths: frozenset[KeyPath]

    @property
    def changes(self) -> set[str]:
        """The sections of a cell that it changes."""
        return {path[0] for path in self.paths} - {"evaluation"}

    def __str__(self) -> str:
        return f"{self.study}-{self.name}".replace(" ", "_")


@cache
def document_of(path: Path) -> Tree:
    """Not to be changed."""
    return load_document(path)


def shipped_rows() -> Iterator[ShippedRow]:
    """Every row of every study below ``search_spaces``."""
    for path in STUDIES:
        study = path.relative_to(SEARCH_SPACES).with_suffix("").as_posix()
        design = read_design(document_of(path))
        for name, change in (design.document.data.get("rows") or {}).items():
            paths = frozenset(tuple(key.split(".")) for key in change or {})
            if name in design.points:  # a value of an axis may be the base's own
                known = cells(study, None)
                changed = changed_leaves(known[name], known[BASE])
                paths = frozenset(own for own in paths if any(path[: len(own)] == own for path in changed))
            yield ShippedRow(study, name, paths)


@cache
def cells(study: str, scale: str | None) -> dict[str, CellConfig]:
    """By row, and the base under `BASE`, at a scale."""
    path = SEARCH_SPACES / f"{study}.yaml"
    written = document_of(path)
    document = read_design(Tree(copied(written.data), dict(written.origins))).document
    chosen = load_scale(scale, path, document.data.get("scales", {}), document) if scale else AS_WRITTEN
    document.data["datasets"] = {**chosen.datasets, **(document.data.get("datasets") or {})}
    document.data["rows"] = {**document.data["rows"], BASE: {}}
    nothing = Tree({}, {(): Origin("nothing")})
    return {name: resolve_row(document, name, chosen, nothing).cell for name in document.data["rows"]}


def changed_leaves(cell: CellConfig, base: CellConfig) -> set[KeyPath]:
    """The paths of the values in which two cells' ids differ."""
    both = [{(path, repr(value)) for path, value in identity(one)} for one in (cell, base)]
    return {path for path, _ in both[0] ^ both[1]}


def narrow(cell: CellConfig, row: ShippedRow) -> CellConfig:
    """The cell with few rendered videos and a small backbone, unless the backbone is what the row changes."""
    tree = Tree(resolved(cell), {(): Origin("narrow")})
    tree.data["training"]["threads"] = 1  # for clips so small a second thread costs more than it gives
    if "backbone" not in row.changes:
        kept = getattr(cell.backbone.options, "last_stage_time", "halved")
        tree.data["backbone"] = {**NARROW, "last_stage_time": kept}
    if cell.data.name == "synthetic":
        few = min(cell.data.options.train_per_class, 6)
        tree.data["data"] |= {"train_per_class": few, "test_per_class": 1}
        if "data" not in row.changes and few <= 4 and cell.data.options.frames <= VIDEOS["frames"]:
            tree.data["data"] = dict(VIDEOS)
    return resolve_cell(tree)


def parts(cell: CellConfig) -> dict[str, Any]:
    """What each section of a cell really makes, in a form to compare: modules, placements, pixels, numbers."""
    frames = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 3, 40, 48), np.uint8))
    objective = build_objective(cell, range(64), total_steps=10, classes=6)
    augmentation = cell.augment.build(CLIP)
    optimizer = cell.optimizer.build(objective, 1.0)
    clips = [
        augmentation(frames, np.random.default_rng(seed), view).clip for seed in range(4) for view in ("query", "key")
    ]
    return {
        "backbone": str(objective.backbone),
        "objective": (
            str(objective.terms),
            [repr(term.__dict__.get("options")) for term in objective.terms.values()],
            objective.weights,
            repr(cell.objective.memory),
        ),
        "sampling": placements(cell),
        "augment": (torch.stack(clips).numpy().tobytes(), times(cell)),
        "optimizer": (type(optimizer), optimizer.defaults, repr(cell.optimizer.options.learning_rate)),
        "schedule": repr(cell.schedule.options),
        "training": (
            cell.training.batch_size,
            cell.training.epochs,
            cell.training.steps,
            cell.training.clip_gradient_norm,
        ),
        "data": (cell.data.name, cell.data.options),
        "clip": cell.clip,
        "batch_norm_group": cell.batch_norm_group,
        "batch_norm_per_view": cell.batch_norm_per_view,
        "pretraining": cell.pretraining,
        "supervised": repr(cell.supervised),
    }


def placements(cell: CellConfig) -> list[Any]:
    """Where the samplers of pair and windows put the clips of a video of 90 frames; what stands in for what."""
    pair, windows = cell.sampling.pair, cell.sampling.windows
    made: list[Any] = []
    for rate in cell.sampling.playback_rates:
        if pair is None:
            break
        sampler = pair.build(CLIP.model_copy(update={"stride": CLIP.stride * rate}))
        made.append([sampler.pair(90, (40, 48), np.random.default_rng(seed)) for seed in range(20)])
    if windows is not None:
        sampler = windows.build(CLIP)
        made.append([sampler.place(90, np.random.default_rng(seed)) for seed in range(20)])
    return [*made, windows and windows.options.same_view]


def times(cell: CellConfig) -> list[Placement]:
    """Which frames augmentation in time leaves."""
    frames = CLIP.raw_frames + cell.temporal.buffer_frames
    whole = Placement(0, frames, CLIP.stride)
    return [augment_in_time(whole, cell.temporal, CLIP.raw_frames, np.random.default_rng(seed)) for seed in range(20)]
