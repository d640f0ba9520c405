"""Reading one resolved cell, as `raysl plan --show-cell` prints it and as the store keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from raysl.config.cell import CellConfig, chosen_terms
from raysl.config.component import Chosen, check_together
from raysl.config.evaluation import EvaluationConfig
from raysl.config.resolve import resolve
from raysl.config.tree import get
from raysl.config.yaml_reader import Origin, Tree, read_tree


def load_cell(path: Path) -> CellConfig:
    """A cell from a YAML file.

    Raises:
        ConfigError: naming file, line and key.
    """
    return resolve_cell(read_tree(path))


def resolve_cell(tree: Tree) -> CellConfig:
    """Validates a tree as a cell, and lets each component refuse what it cannot be combined with."""
    cell = resolve(CellConfig, _without_none(tree))
    for chosen in _parts(cell):
        if chosen.component.check is not None:
            chosen.component.check(chosen.options, cell)
    if cell.objective.pretext:
        check_together("pretext task", cell)
    if cell.pretraining == "self_supervised":
        if cell.sampling.pair is None and cell.sampling.windows is None:
            raise tree.error(("sampling", "pair"), "this key is required and missing")
        if not chosen_terms(cell.objective):
            raise tree.error(
                ("objective",), "has no term: nothing would be learned (or say pretraining: supervised, or none)"
            )
    return cell


def _parts(cell: CellConfig) -> list[Chosen]:
    """The components in use."""
    parts = [cell.data, cell.augment, cell.backbone, cell.optimizer, cell.schedule]
    if cell.pretraining != "supervised":
        parts += [chosen for chosen in (cell.sampling.pair, cell.sampling.windows) if chosen is not None]
        parts += (chosen_terms(cell.objective) | cell.objective.pretext).values()
    return parts


def advice(cell: CellConfig) -> list[str]:
    """What its components say of a cell that is allowed and may not be what its user wants, each once."""
    said = [
        chosen.component.advise(chosen.options, cell)
        for chosen in (_parts(cell) if cell.pretraining == "self_supervised" else [])
        if chosen.component.advise is not None
    ]
    return list(dict.fromkeys(one for one in said if one is not None))


def _without_none(tree: Tree) -> Tree:
    """``objective.contrastive: {framework: none}`` as null, so that an axis over frameworks may hold none of them."""
    place = ("objective", "contrastive")
    contrastive = get(tree.data, place)
    named = contrastive.get("framework") if isinstance(contrastive, Mapping) else contrastive
    if named != "none":
        return tree
    if isinstance(contrastive, Mapping) and len(contrastive) > 1:
        others = sorted(key for key in contrastive if key != "framework")
        raise tree.error((*place, others[0]), "means nothing where the framework is none; remove it")
    return Tree({**tree.data, "objective": {**tree.data["objective"], "contrastive": None}}, tree.origins)


def cell_from(data: dict[str, Any], source: str) -> CellConfig:
    """A cell from plain data (what `resolved` made); ``source`` names it in messages."""
    return resolve_cell(Tree(data, {(): Origin(source)}))


def evaluation_from(data: dict[str, Any], source: str) -> EvaluationConfig:
    """An evaluation from plain data (what `resolved` made)."""
    return resolve(EvaluationConfig, Tree(data, {(): Origin(source)}))
