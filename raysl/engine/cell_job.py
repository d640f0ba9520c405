"""What one cell is, as plain data that travels to any process.

Imports little: Train's controller reads it and computes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from raysl.config.cell import CellConfig
from raysl.config.load import cell_from
from raysl.data.places import Places
from raysl.results import CellFolder, Store


@dataclass(frozen=True)
class EvaluationJob:
    """Attributes: name: in the store, ``<evaluation id>-<manifest hash>``. config: resolved, as plain values.
    trains: it trains the network itself, on the cell's workers."""

    name: str
    config: dict[str, Any]
    trains: bool = False


@dataclass(frozen=True)
class CellJob:
    """One cell with what is still missing of it; can be pickled.

    Attributes:
        id: of the cell. title: of the row and seed that asked first, for people.
        cell: the resolved configuration as plain values.
        data_hash: second half of the folder's name.
        evaluations: that are wanted; those in the store are left alone.
        manifests: key of each data set that is read to the hash of its manifest in the store.
        pretrained: the backbone is in the store, only evaluations are missing.
    """

    id: str
    title: str
    cell: dict[str, Any]
    data_hash: str
    store: Store
    places: Places
    evaluations: tuple[EvaluationJob, ...]
    manifests: dict[str, str]
    pretrained: bool

    @property
    def folder(self) -> CellFolder:
        return self.store.folder(self.id, self.data_hash)

    @property
    def config(self) -> CellConfig:
        return cell_from(self.cell, f"cell {self.id}")

    @property
    def workers(self) -> int:
        """DDP workers that it needs: where nothing is trained, one process."""
        return int(self.cell["training"]["workers"]) if self.pretrains or self.fine_tunings else 1

    @property
    def pretrains(self) -> bool:
        return not self.pretrained and self.cell["pretraining"] != "none"

    @property
    def fine_tunings(self) -> int:
        """How many evaluations train."""
        return sum(evaluation.trains for evaluation in self.evaluations)
