"""From studies to the work: rows times seeds are cells, and equal cells of all studies are one."""

from __future__ import annotations

from raysl.config.cell import CellConfig
from raysl.config.cells import Cell
from raysl.planning.study import Study


def with_seed(config: CellConfig, seed: int) -> CellConfig:
    """The same configuration at another seed."""
    return config.model_copy(update={"training": config.training.model_copy(update={"seed": seed})})


def plan_study(study: Study) -> list[Cell]:
    """Rows times seeds, in the table's order."""
    return [
        Cell(with_seed(row.cell, seed), row.evaluations, study.name, row.name)
        for row in study.rows
        for seed in study.seeds
    ]
