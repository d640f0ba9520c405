"""A study, and the plan of what it computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
import yaml

from raysl.commands.inputs import Planned, load_studies, places_for, shelf_of
from raysl.config.cells import Cell
from raysl.data.places import NOTHING, Places
from raysl.errors import ConfigError
from raysl.results import Shelf

Roots = Mapping[str, str | Path]
"""Name of a data set (or of a weights file) to where it lies: ``{"ucf101": "/data/UCF-101"}``."""


@dataclass(frozen=True)
class Study:
    """A study at one scale, as `load_study` gives it.

    Attributes:
        planned: what the layers below know of it.
    """

    planned: Planned

    @property
    def name(self) -> str:
        """``taco/table1_single_tasks``; of a file of one's own its name without suffix."""
        return self.planned.study.name

    @property
    def title(self) -> str:
        """The heading of its report."""
        return self.planned.study.options.title.strip()

    @property
    def scale(self) -> str:
        """What decides its cost: ``paper``, ``laptop``, ``smoke``, ..."""
        return self.planned.study.scale

    @property
    def rows(self) -> tuple[str, ...]:
        """The rows of its table."""
        return tuple(row.name for row in self.planned.study.rows)

    @property
    def baseline(self) -> str | None:
        """The row that differences are taken against."""
        return self.planned.study.options.baseline

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of each row."""
        return self.planned.study.seeds

    @property
    def evaluations(self) -> tuple[str, ...]:
        """Labels of what is measured, ``linear/ucf101/1``."""
        labels = (one.label for row in self.planned.study.rows for one in row.evaluations)
        return tuple(dict.fromkeys(labels))

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Rows times seeds (times folds), in the table's order."""
        return tuple(self.planned.cells)

    def __str__(self) -> str:
        return (
            f"{self.title} [{self.name}, scale {self.scale}]: {len(self.rows)} rows x {len(self.seeds)} seeds, "
            f"measured by {', '.join(self.evaluations)}"
        )


def load_study(study: str | Path, scale: str | None = None, overrides: Mapping[str, object] | None = None) -> Study:
    """Loads and checks a study with all of its rows; nothing is computed.

    Args:
        study: a YAML file, or the name of a study that raysl ships (``raysl studies`` lists them).
        scale: what decides its cost: ``paper``, ``gpu``, ``laptop``, ``smoke``, or a file; None: as written.
        overrides: dotted keys to values that are laid over everything else, as ``--set``.

    Raises:
        ConfigError: something in it cannot be used as written; the message names file, line and key.

    Example:
        >>> import raysl
        >>> study = raysl.load_study("quickstart", scale="smoke", overrides={"training.epochs": 2})
        >>> study.rows[:2], study.seeds, study.evaluations
        (('random weights', 'SimCLR'), (0,), ('linear/smoke-synthetic',))
        >>> study.cells[1].title, study.cells[1].config.training.epochs
        ('quickstart/SimCLR/seed0', 2)
    """
    laid = [as_override(key, value) for key, value in (overrides or {}).items()]
    found = load_studies([Path(study)], scale, laid)
    if len(found) != 1:
        raise ConfigError(f"{study}: is a folder of {len(found)} studies: load one of them at a time")
    return Study(found[0])


def as_override(key: str, value: object) -> str:
    """``KEY=VALUE`` as ``--set`` reads it."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10**9).removesuffix("...\n")
    return f"{key}={text.strip()}"


@dataclass(frozen=True)
class PlannedCell:
    """A cell of a plan.

    Attributes:
        row, seed, id: of the cell; ``fold`` where its data set is split into folds.
        pretrains: whether its weights are trained at all.
        evaluations: labels of what is measured of it.
        status: done, failed or missing in the store, its evaluations with it; planned where no store was asked.
        reason: of a failure, or what is known of why it is missing.
        folder: the name of its folder in the store, where one is known.
    """

    row: str
    seed: int
    id: str
    pretrains: bool
    evaluations: tuple[str, ...]
    status: Literal["done", "failed", "missing", "planned"] = "planned"
    reason: str = ""
    fold: int | None = None
    folder: str | None = None


@dataclass(frozen=True)
class Plan:
    """The cells of a study, and how far each is in a store. Printed, it is a table.

    Attributes:
        study: that was planned.
        cells: in the table's order.
    """

    study: Study
    cells: tuple[PlannedCell, ...]

    @property
    def missing(self) -> tuple[PlannedCell, ...]:
        """What `run` would compute."""
        return tuple(cell for cell in self.cells if cell.status in ("missing", "planned"))

    def frame(self) -> pd.DataFrame:
        """A line for each cell, with a column for each attribute of `PlannedCell`."""
        return pd.DataFrame([vars(cell) for cell in self.cells], columns=list(PlannedCell.__annotations__))

    def __str__(self) -> str:
        shown = self.frame()[["row", "seed", "id", "status", "evaluations"]]
        shown["evaluations"] = [" ".join(labels) for labels in shown["evaluations"]]
        counts = shown["status"].value_counts()
        said = ", ".join(f"{count} {status}" for status, count in counts.items())
        return f"{self.study}\n{shown.to_string(index=False)}\n{said}"


def plan(
    study: Study, storage: str | Path | None = None, *, roots: Roots = NOTHING, cache: str | Path | None = None
) -> Plan:
    """Lists a study's cells, and which of them a store has; nothing is computed.

    Args:
        storage: a results store: a folder, ``s3://bucket/path`` or ``gs://bucket/path``; None: none is asked.
        roots: where data sets lie, which tells results on this data from those on other data.
        cache: folder for what is known of data sets and for decoded frames; None: RAYSL_CACHE, or ~/.cache/raysl.

    Raises:
        StorageError: the store cannot be read.

    Example:
        >>> print(raysl.plan(study))  # doctest: +ELLIPSIS
        Quickstart: what SimCLR owes to its parts ...
                           row  seed           id  status            evaluations
                random weights     0 ... planned linear/smoke-synthetic
                        SimCLR     0 ... planned linear/smoke-synthetic
        ...
        6 planned
    """
    if storage is None:
        return Plan(study, tuple(_planned_cell(cell) for cell in study.cells))
    shelf = shelf_of([study.planned], str(storage), places_of(study, roots, cache))
    return Plan(study, tuple(_planned_cell(cell, shelf) for cell in study.cells))


def _planned_cell(cell: Cell, shelf: Shelf | None = None) -> PlannedCell:
    labels = tuple(dict.fromkeys(one.label for one in cell.evaluations))
    found = None if shelf is None else shelf.find(cell)
    return PlannedCell(
        row=cell.row,
        seed=cell.seed,
        id=cell.id,
        pretrains=cell.pretrains,
        evaluations=labels,
        status="planned" if found is None else found.verdict,
        reason="" if found is None else found.reason,
        fold=cell.fold,
        folder=None if found is None or found.folder is None else found.folder.name,
    )


def places_of(study: Study, roots: Roots, cache: str | Path | None, cache_gigabytes: float | None = None) -> Places:
    """Where a study's data sets and the cache lie.

    Raises:
        ConfigError: a root of a name that nothing in the study has.
    """
    given = [f"{name}={path}" for name, path in roots.items()]
    return places_for([study.planned], given, None if cache is None else Path(cache), cache_gigabytes)
