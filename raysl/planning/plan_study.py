"""From studies to the work: rows times seeds (times folds) are cells, and equal cells of all studies are one."""

from __future__ import annotations

from raysl.config.cell import CellConfig, with_start
from raysl.config.cells import Cell
from raysl.errors import ConfigError
from raysl.planning.factors import factors
from raysl.planning.folds import parts_of
from raysl.planning.study import Study


def with_seed(config: CellConfig, seed: int) -> CellConfig:
    """The same configuration at another seed, and what it starts from too."""
    found = config.model_copy(update={"training": config.training.model_copy(update={"seed": seed})})
    return found if config.start is None else with_start(found, with_seed(config.start, seed))


def plan_study(study: Study) -> list[Cell]:
    """Rows times seeds, in the table's order; a row on folds is one cell for each fold (`parts_of`).

    Then the trivial rows, at the first seed alone: nothing of theirs is drawn but the folds that choose a penalty.

    Raises:
        ConfigError: an evaluation would test on videos that another fold is pretrained on.
    """
    cells, ablated = [], factors(study)
    asked = [(row, study.seeds) for row in study.rows] + [(row, study.seeds[:1]) for row in study.trivial]
    for row, seeds in asked:
        try:
            parts = parts_of(row.cell, row.evaluations)
        except ConfigError as error:
            raise ConfigError(f"{study.path}: rows.{row.name}: {error}") from error
        for seed in seeds:
            cells += [
                Cell(with_seed(config, seed), wanted, study.name, row.name, factors=ablated.get(row.name, {}))
                for config, wanted in parts
            ]
    return cells
