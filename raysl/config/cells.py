"""A cell as it travels from a study to the workers and back into a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from raysl.config.cell import CellConfig
from raysl.config.evaluation import EvaluationConfig
from raysl.config.identity import cell_id, evaluation_id


@dataclass(frozen=True)
class Cell:
    """One pretraining with its seed, and the evaluations that are wanted of it. Can be pickled.

    Attributes:
        config: the pretraining, seed included.
        evaluations: in the order of the table's columns; several may have one label, each on another fold.
        study, row: that asked for it; of a cell that several rows share, the first.
        factors: what the study ablates, and the row's values of it: its parameters in dashboards.
    """

    config: CellConfig
    evaluations: tuple[EvaluationConfig, ...] = ()
    study: str = ""
    row: str = ""
    factors: Mapping[str, str | int | float] = field(default_factory=dict, compare=False)

    @cached_property
    def id(self) -> str:
        """Hash of the configuration: `raysl.config.identity.cell_id`."""
        return cell_id(self.config)

    @property
    def seed(self) -> int:
        return self.config.training.seed

    @property
    def title(self) -> str:
        """For dashboards and progress lines: ``quickstart/SimCLR/seed1``, of a part ``mine/SimCLR/seed1/fold2``."""
        return f"{self.study}/{self.row}/seed{self.seed}" + ("" if self.fold is None else f"/fold{self.fold}")

    @property
    def fold(self) -> int | None:
        """The fold of its pretraining set that it is a part of its row for; None where there are no folds."""
        return getattr(self.config.data.options, "fold", None) if self.pretrains else None

    @property
    def pretrains(self) -> bool:
        """Whether its weights are trained at all."""
        return self.config.pretraining != "none"

    @property
    def key(self) -> str:
        """Equal for what is the same computation on this run's data: the id and the root that it is trained on."""
        return f"{self.id}@{self.config.data.source_name}" if self.pretrains else self.id


def evaluation_key(evaluation: EvaluationConfig) -> str:
    """Equal for evaluations that are the same on this run's data: the id and the root that it reads."""
    return f"{evaluation_id(evaluation)}@{evaluation.data.source_name}"


def unique_cells(cells: Iterable[Cell]) -> list[Cell]:
    """Equal cells once, in the order in which they are first asked for, with all evaluations that any row wants."""
    found: dict[str, Cell] = {}
    for cell in cells:
        known = found.setdefault(cell.key, cell)
        wanted = {evaluation_key(one): one for one in (*known.evaluations, *cell.evaluations)}
        if (evaluations := tuple(wanted.values())) != known.evaluations:
            found[cell.key] = replace(known, evaluations=evaluations)
    return list(found.values())
