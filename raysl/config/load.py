"""Reading one resolved cell, as `raysl plan --show-cell` prints it and as the store keeps it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from raysl.config.cell import CellConfig
from raysl.config.evaluation import EvaluationConfig
from raysl.config.resolve import resolve
from raysl.config.yaml_reader import Origin, Tree, read_tree


def load_cell(path: Path) -> CellConfig:
    """A cell from a YAML file.

    Raises:
        ConfigError: naming file, line and key.
    """
    return resolve_cell(read_tree(path))


def resolve_cell(tree: Tree) -> CellConfig:
    """Validates a tree as a cell, and lets each component refuse what it cannot be combined with."""
    cell = resolve(CellConfig, tree)
    parts = (cell.data, cell.sampling.pair, cell.augment, cell.backbone, cell.objective.contrastive)
    for chosen in (*parts, cell.optimizer, cell.schedule):
        if chosen is not None and chosen.component.check is not None:
            chosen.component.check(chosen.options, cell)
    if cell.pretraining == "self_supervised" and cell.objective.contrastive is None:
        raise tree.error(("objective",), "has no term: nothing would be learned (or say pretraining: none)")
    return cell


def cell_from(data: dict[str, Any], source: str) -> CellConfig:
    """A cell from plain data (what `resolved` made); ``source`` names it in messages."""
    return resolve_cell(Tree(data, {(): Origin(source)}))


def evaluation_from(data: dict[str, Any], source: str) -> EvaluationConfig:
    """An evaluation from plain data (what `resolved` made)."""
    return resolve(EvaluationConfig, Tree(data, {(): Origin(source)}))
