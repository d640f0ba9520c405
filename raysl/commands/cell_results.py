"""A cell of a store as commands and Python code take it up: what it is called, what was measured, its backbone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from raysl.commands.inputs import Planned
from raysl.config.cell import CellConfig
from raysl.config.evaluation import EvaluationConfig
from raysl.config.load import cell_from, evaluation_from
from raysl.errors import ConfigError, StorageError
from raysl.models.backbone import Backbone
from raysl.results import CellFolder, Store, Title, Titles, titles_of
from raysl.results.find_cell import find_cell
from raysl.training.load_backbone import load_backbone


@dataclass(frozen=True)
class CellResults:
    """A cell that a store has.

    Attributes:
        folder: where it lies.
        titles: of the rows that it belongs to, the one that was asked for first; empty where no run has kept any.
    """

    folder: CellFolder
    titles: tuple[Title, ...] = ()

    @property
    def name(self) -> str:
        """Of its folder: the id, and a hash of its data."""
        return self.folder.name

    @property
    def id(self) -> str:
        """Hash of the configuration."""
        return self.name.partition("-")[0]

    @property
    def title(self) -> str:
        """``quickstart/SimCLR/seed1``, or the folder's name where no title is known."""
        return self.titles[0].text if self.titles else self.name

    @property
    def status(self) -> str:
        """missing, running, interrupted, done, failed or broken."""
        return self.folder.state().status

    @cached_property
    def config(self) -> CellConfig:
        """Its configuration.

        Raises:
            StorageError: it is not there, or not whole.
            ConfigError: this version does not understand it, or lacks a component of it.
        """
        written = self.folder.config()
        if written is None:
            raise StorageError(f"{self.folder.place.shown}/cell.yaml is not there: run the cell's study again")
        return cell_from(written, f"{self.folder.place.shown}/cell.yaml")

    @cached_property
    def records(self) -> dict[str, dict[str, Any]]:
        """Label to the record of each evaluation that is done; where labels are equal the name in the store."""
        found: dict[str, dict[str, Any]] = {}
        for name, record in self.folder.evaluations().items():
            if record["status"] == "done":
                label = str(record.get("label", name))
                found[name if label in found else label] = record
        return found

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        """Label of each evaluation that is done to its metrics, in percent."""
        return {label: dict(record["metrics"]) for label, record in self.records.items()}

    def evaluations(self) -> dict[str, EvaluationConfig]:
        """Label to configuration of each evaluation that is done.

        Raises:
            ConfigError: this version does not understand one.
        """
        where = self.folder.place.shown
        return {label: evaluation_from(one["evaluation"], f"{where}: {label}") for label, one in self.records.items()}

    def backbone(self) -> Backbone:
        """Its trained backbone, on the CPU, in eval mode; of a random cell the one that was drawn.

        Raises:
            RayslError: it is not done, or its folder holds no weights (a slim store).
        """
        return load_backbone(self.config, self.folder)


def cell_results(store: Store, text: str, planned: Iterable[Planned] = ()) -> CellResults:
    """The cell that is meant by a folder's name, the beginning of one, or a title.

    Args:
        planned: studies whose titles are meant; without any, those that runs have kept in the store.

    Raises:
        ConfigError: there is none, or there are several.
        StorageError: the store cannot be read.
    """
    if not text.strip():
        raise ConfigError("the name of the cell is empty: give an id, or a title such as quickstart/SimCLR/seed0")
    known = known_titles(store, planned)
    folder = find_cell(store, text, known)
    titles = known.get(folder.name.partition("-")[0], ())
    return CellResults(folder, tuple(sorted(titles, key=lambda title: not title.text.endswith(text))))


def known_titles(store: Store, planned: Iterable[Planned]) -> Titles:
    """The titles of these studies' cells; without any study, those that runs have kept in the store.

    Raises:
        StorageError: the store cannot be read.
    """
    found: dict[str, tuple[Title, ...]] = {}
    for item in planned:
        for id, titles in titles_of(item.cells, item.study.scale).items():
            found[id] = (*found.get(id, ()), *titles)
    return found or store.titles()
