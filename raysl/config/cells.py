"""A cell: what studies plan, workers compute and tables show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from raysl.config.cell import CellConfig
from raysl.config.evaluation import EvaluationConfig
from raysl.config.identity import MOST_KEPT, cell_id, evaluation_id


@dataclass(frozen=True)
class Cell:
    """One pretraining with its seed, and its requested evaluations. Can be pickled.

    Attributes:
        config: the pretraining, seed included.
        evaluations: in the order of the table's columns; several may have one label, each on another fold.
        study, row: that requested it; the first of several rows that share the cell.
        part: for a cell that an evaluation of another trains (`downstream`), that evaluation's label; for one that
            another starts from, its role there; empty for a row's own cell.
        row_seed: of the row, if the cell's own is drawn from it.
        factors: the ablated factors of the study with the row's values: its parameters in dashboards.
    """

    config: CellConfig
    evaluations: tuple[EvaluationConfig, ...] = ()
    study: str = ""
    row: str = ""
    part: str = ""
    row_seed: int | None = None
    factors: Mapping[str, str | int | float] = field(default_factory=dict, compare=False)

    @cached_property
    def id(self) -> str:
        """Hash of the configuration: `raysl.config.identity.cell_id`."""
        return cell_id(self.config)

    @property
    def seed(self) -> int:
        return self.config.training.seed if self.row_seed is None else self.row_seed

    @property
    def title(self) -> str:
        """``quickstart/SimCLR/seed1``; ``mine/SimCLR/seed1/fold2``; ``mine/SimCLR/seed1/finetune/ucf101/1``."""
        parts = [self.study, self.row, f"seed{self.seed}"]
        parts += [self.part] if self.part else []
        return "/".join([*parts, *([] if self.fold is None else [f"fold{self.fold}"])])

    @property
    def fold(self) -> int | None:
        """The fold of its pretraining set; None without folds."""
        return getattr(self.config.data.options, "fold", None) if self.pretrains else None

    @property
    def pretrains(self) -> bool:
        """Whether weights are trained at all."""
        return self.config.pretraining != "none"

    @property
    def stage(self) -> str:
        """The name of its training in progress reports."""
        return "pretraining" if self.config.init is None else "fine-tuning"

    @cached_property
    def key(self) -> str:
        """Equal for equal computations on this run's data: the id and the roots of its training data."""
        sources = [one.data.source_name for one in self.config.chain if one.pretraining != "none"]
        return "@".join([self.id, *sources])

    @property
    def start(self) -> Cell | None:
        """The cell that it starts from, without evaluations."""
        config = self.config.start
        if config is None:
            return None
        return Cell(config, (), self.study, self.row, f"{self.part}/start".lstrip("/"), self.seed)

    def behind(self, evaluation: EvaluationConfig) -> Cell | None:
        """The cell that an evaluation trains from this one, with the evaluation that measures it; None if it trains
        nothing.

        Raises:
            ConfigError: the protocol's options do not fit the cell.
        """
        if evaluation.protocol.component.downstream is None:
            return None
        config, measured = _derived(self.config, evaluation)
        return Cell(config, (measured,), self.study, self.row, evaluation.label, self.seed, self.factors)

    @property
    def own(self) -> tuple[EvaluationConfig, ...]:
        """The evaluations of its own backbone or network, not those of other cells."""
        return tuple(one for one in self.evaluations if one.protocol.component.downstream is None)


_known: dict[tuple[int, int], tuple[CellConfig, EvaluationConfig, tuple[CellConfig, EvaluationConfig]]] = {}
"""A cache by the identities of immutable objects: a plan derives the same cells several times."""


def _derived(config: CellConfig, evaluation: EvaluationConfig) -> tuple[CellConfig, EvaluationConfig]:
    key = id(config), id(evaluation)
    known = _known.get(key)
    if known is not None and known[0] is config and known[1] is evaluation:
        return known[2]
    derive = evaluation.protocol.component.downstream
    assert derive is not None
    trained, protocol = derive(evaluation.protocol.options, config, evaluation.data)
    found = trained, evaluation.model_copy(update={"protocol": protocol})
    if len(_known) >= MOST_KEPT:
        _known.clear()
    _known[key] = config, evaluation, found
    return found


def evaluation_key(evaluation: EvaluationConfig) -> str:
    """Equal for equal evaluations on this run's data: the id and the root that it reads."""
    return f"{evaluation_id(evaluation)}@{evaluation.data.source_name}"


def unique_cells(cells: Iterable[Cell]) -> list[Cell]:
    """Equal cells once, in the order in which they are first requested, with all evaluations that any row requests.

    Rows' own cells come first; then those that they need: the cells that they start from, and those that their
    evaluations train.
    """
    found: dict[str, Cell] = {}
    waiting = list(cells)
    while waiting:
        needed = list[Cell]()
        for cell in waiting:
            known = found.get(cell.key)
            asked = cell.evaluations if known is None else known.evaluations
            wanted = {evaluation_key(one): one for one in (*asked, *cell.evaluations)}
            found[cell.key] = replace(known or cell, evaluations=tuple(wanted.values()))
            needed += [cell.start] if cell.start is not None and known is None else []
            needed += [own for one in cell.evaluations if (own := cell.behind(one)) is not None]
        waiting = needed
    return list(found.values())
