"""From studies to the work: rows times seeds (times folds) are cells, and equal cells of all studies are one."""

from __future__ import annotations

from raysl.config.cell import CellConfig
from raysl.config.cells import Cell
from raysl.planning.folds import parts_of
from raysl.planning.rows import Row
from raysl.planning.study import Study


def with_seed(config: CellConfig, seed: int) -> CellConfig:
    """The same configuration at another seed."""
    return config.model_copy(update={"training": config.training.model_copy(update={"seed": seed})})


def plan_study(study: Study) -> list[Cell]:
    """Rows times seeds, in the table's order; where the data set's fold is left open, one cell for each fold."""
    return [cell for row in study.rows for seed in study.seeds for cell in _cells(study.name, row, seed)]


def _cells(study: str, row: Row, seed: int) -> list[Cell]:
    parts = parts_of(with_seed(row.cell, seed), row.evaluations)
    return [
        Cell(config, evaluations, study, row.name, part=number if len(parts) > 1 else 0)
        for number, (config, evaluations) in enumerate(parts, 1)
    ]
