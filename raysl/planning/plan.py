"""From studies to the work: rows times seeds are cells, and equal cells of all studies are one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from raysl.config.cell import CellConfig
from raysl.config.evaluation import EvaluationConfig
from raysl.config.identity import cell_id, evaluation_id
from raysl.planning.study import Study


@dataclass(frozen=True)
class PlannedEvaluation:
    """Attributes: id: `evaluation_id`. config: what is evaluated. label: as the table's column names it."""

    id: str
    config: EvaluationConfig

    @property
    def label(self) -> str:
        return self.config.label


@dataclass(frozen=True)
class PlannedCell:
    """One row at one seed."""

    study: str
    row: str
    seed: int
    id: str
    cell: CellConfig
    evaluations: tuple[PlannedEvaluation, ...]

    @property
    def title(self) -> str:
        """What a person reads in dashboards and progress lines: ``quickstart/SimCLR/seed1``."""
        return f"{self.study}/{self.row}/seed{self.seed}"


@dataclass
class Work:
    """One computation: a cell that one or several rows share, with all evaluations that any of them asks for."""

    id: str
    cell: CellConfig
    asked_by: list[PlannedCell] = field(default_factory=list)
    evaluations: dict[str, PlannedEvaluation] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return self.asked_by[0].title


def with_seed(cell: CellConfig, seed: int) -> CellConfig:
    """The same cell at another seed."""
    return cell.model_copy(update={"training": cell.training.model_copy(update={"seed": seed})})


def plan_study(study: Study) -> list[PlannedCell]:
    """Rows times seeds, in the table's order."""
    planned = []
    for row in study.rows:
        evaluations = tuple(PlannedEvaluation(evaluation_id(config), config) for config in row.evaluations)
        for seed in study.seeds:
            cell = with_seed(row.cell, seed)
            planned.append(PlannedCell(study.name, row.name, seed, cell_id(cell), cell, evaluations))
    return planned


def unique_work(planned: Iterable[PlannedCell]) -> list[Work]:
    """Equal cells once, in the order in which they are first asked for."""
    work: dict[str, Work] = {}
    for cell in planned:
        item = work.setdefault(cell.id, Work(cell.id, cell.cell))
        item.asked_by.append(cell)
        item.evaluations.update({evaluation.id: evaluation for evaluation in cell.evaluations})
    return list(work.values())
