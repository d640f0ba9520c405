"""From studies to the work: rows times seeds (times folds) are cells, and equal cells of all studies are one."""

from __future__ import annotations

from raysl.config.cell import CellConfig
from raysl.config.cells import Cell
from raysl.errors import ConfigError
from raysl.planning.folds import parts_of
from raysl.planning.rows import Row
from raysl.planning.study import Study


def with_seed(config: CellConfig, seed: int) -> CellConfig:
    """The same configuration at another seed."""
    return config.model_copy(update={"training": config.training.model_copy(update={"seed": seed})})


def plan_study(study: Study) -> list[Cell]:
    """Rows times seeds, in the table's order; where the data set's fold is left open, one cell for each fold.

    Raises:
        ConfigError: an evaluation would test on videos that another fold is pretrained on.
    """
    return [cell for row in study.rows for seed in study.seeds for cell in _cells(study, row, seed)]


def _cells(study: Study, row: Row, seed: int) -> list[Cell]:
    try:
        parts = parts_of(with_seed(row.cell, seed), row.evaluations)
    except ConfigError as error:
        raise ConfigError(f"{study.path}: rows.{row.name}: {error}") from error
    return [
        Cell(config, evaluations, study.name, row.name, part=number if len(parts) > 1 else 0)
        for number, (config, evaluations) in enumerate(parts, 1)
    ]
