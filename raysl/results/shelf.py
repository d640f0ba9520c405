"""Finds a cell in a store, with its state and its evaluations; no other module does."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from raysl.config.cell import CellConfig
from raysl.config.cells import Cell
from raysl.config.component import Chosen
from raysl.config.evaluation import EvaluationConfig
from raysl.config.identity import evaluation_id
from raysl.data.snapshot import DataHashes, data_key
from raysl.errors import DECIDED_BY, StorageError
from raysl.results.evaluations import EvaluationFault
from raysl.results.folder import EVALUATION, CellFolder, CellState
from raysl.results.store import Store

NO_DATA = "none"
"""The second half of the name of a cell's folder if nothing is trained, so that no data is read."""

KEPT = (
    "what failed is kept as a result: raysl run --retry-failed computes it again, and so does another value of an "
    "option that decided it"
)
"""The hint wherever failures of a store are shown."""

Verdict = Literal["done", "failed", "missing"]


@dataclass(frozen=True)
class StoredEvaluation:
    """One requested evaluation of a cell.

    Attributes:
        name: in the store, ``<evaluation id>-<data hash>``; None if neither the data nor a result is known.
        status: done, failed (a result), or missing.
        reason: if failed; if missing, why it could not be computed, or the other data on which it was made.
        record: as stored; None if missing.
        fault: of a missing one that is stored but cannot be used.
        behind: the cell that it trains, if it trains one: the evaluation is that cell's, and is in that cell's folder.
    """

    config: EvaluationConfig
    name: str | None
    status: Verdict
    reason: str = ""
    record: Mapping[str, Any] | None = None
    fault: EvaluationFault | None = None
    behind: StoredCell | None = None

    @property
    def label(self) -> str:
        return self.config.label


@dataclass(frozen=True)
class StoredCell:
    """A cell as found in the store.

    Attributes:
        folder: None if no folder is known: its data was never read here, and no folder, or several, have its id.
        state: of the backbone.
        evaluations: those that the cell requests, in its order.
        elsewhere: the other data on which the cell was computed, if it is missing on this; empty otherwise.
    """

    cell: Cell
    folder: CellFolder | None
    state: CellState
    evaluations: tuple[StoredEvaluation, ...] = ()
    elsewhere: str = ""

    @property
    def verdict(self) -> Verdict:
        """done: the backbone and all evaluations are complete; failed: only what failed is missing."""
        return self._verdict(self.evaluations)

    @property
    def own(self) -> Verdict:
        """As `verdict`, without the evaluations that train other cells."""
        return self._verdict(tuple(one for one in self.evaluations if one.behind is None))

    def _verdict(self, evaluations: tuple[StoredEvaluation, ...]) -> Verdict:
        if self.state.status == "failed":
            return "failed"
        if self.state.status != "done" or any(one.status == "missing" for one in evaluations):
            return "missing"
        return "failed" if any(one.status == "failed" for one in evaluations) else "done"

    @property
    def failed(self) -> bool:
        """Whether the store holds a failure of it, whatever else is missing."""
        return self.state.status == "failed" or any(one.status == "failed" for one in self.evaluations)

    @property
    def missing(self) -> tuple[StoredEvaluation, ...]:
        """Evaluations that are missing, or cannot be read."""
        return tuple(one for one in self.evaluations if one.status == "missing")

    @property
    def to_compute(self) -> tuple[StoredEvaluation, ...]:
        """Evaluations that are still to be computed on this cell itself, not on one that an evaluation trains."""
        return tuple(one for one in self.missing if one.behind is None and (one.fault is None or not one.fault.by_hand))

    @property
    def reason(self) -> str:
        """Why it failed, or why it is missing if known; empty if done."""
        if self.verdict == "failed" and self.state.status == "failed":
            return self.state.reason
        if self.verdict == "missing" and self.state.status != "done":
            return "; ".join(text for text in (self.state.reason, self.elsewhere) if text)
        wanted = self.missing if self.verdict == "missing" else self.evaluations
        return "; ".join(f"evaluation {one.label}: {one.reason}" for one in wanted if one.reason)

    @property
    def to_train(self) -> bool:
        """Whether its weights are still to be trained."""
        return self.cell.pretrains and self.state.status != "done"


@dataclass
class Shelf:
    """Finds cells in a store.

    Attributes:
        data: hashes of the data sets as they are now, by `data_key`. Results of other data sets are found by id, if
            there is only one.
    """

    store: Store
    data: Mapping[str, DataHashes] = field(default_factory=dict)
    _names: dict[str, list[str]] | None = None  # of cells' folders, by id

    def folder(self, cell: Cell) -> CellFolder:
        """The folder in which the cell is computed on this data.

        Raises:
            KeyError: its data set was not read.
        """
        return self.store.folder(cell.id, self._data_hash(cell) or "")

    def find(self, cell: Cell) -> StoredCell:
        """Reads the state of the cell and its evaluations.

        Raises:
            StorageError: the store cannot be read.
        """
        folder, elsewhere = self._locate(cell)
        if folder is None:
            lost = tuple(self._behind(cell, one) or StoredEvaluation(one, None, "missing") for one in cell.evaluations)
            return StoredCell(cell, None, CellState("missing"), lost, elsewhere)
        state = _with_current_options(folder.state(), cell)
        empty = state.status == "missing" and not state.reason
        records, damaged = ({}, {}) if empty else folder.read_evaluations()
        faults = folder.faults() if state.status == "done" else {}
        found = tuple(
            self._behind(cell, one) or self._damaged(one, damaged) or self._evaluation(one, records, faults)
            for one in cell.evaluations
        )
        return StoredCell(cell, folder, state, found, elsewhere if state.status != "done" else "")

    def find_all(self, cells: Iterable[Cell]) -> list[StoredCell]:
        """As `find` of each; on a bucket of several at the same time."""
        self._of_id("")  # lists the folders of cells, for all of them
        return self.store.of_cells(self.find, list(cells))

    def evaluation_name(self, evaluation: EvaluationConfig) -> str | None:
        """``<id>-<data hash>``; None if its data set was not read."""
        hashes = self.data.get(data_key(evaluation.data))
        return None if hashes is None else f"{evaluation_id(evaluation)}-{hashes.evaluated}"

    def search(self, id: str, trained: CellConfig, scored: Chosen) -> str | None:
        """The name of a search's folder, ``<id>-<data hash>-<hash of what is scored>``.

        If the data was not read, it is the only one with this id; None if there is none or several.
        """
        ours, theirs = self.data.get(data_key(trained.data)), self.data.get(data_key(scored))
        if ours is not None and theirs is not None:
            return f"{id}-{ours.pretraining(trained.pretraining)}-{theirs.scored}"
        names = [name for name in self.store.place.folders("searches") if name.startswith(f"{id}-")]
        return names[0] if len(names) == 1 else None

    def _behind(self, cell: Cell, evaluation: EvaluationConfig) -> StoredEvaluation | None:
        """An evaluation that trains a cell, from what the store has of that cell; None for others.

        If that cell failed, so did the evaluation.
        """
        behind = cell.behind(evaluation)
        if behind is None:
            return None
        found = self.find(behind)
        (one,) = found.evaluations
        if found.state.status == "failed":
            return replace(one, config=evaluation, status="failed", reason=found.state.reason, behind=found)
        return replace(one, config=evaluation, reason=one.reason or found.reason, behind=found)

    def _data_hash(self, cell: Cell) -> str | None:
        """Second half of the folder's name; None if the data set was not read.

        For a cell that starts from another it depends on that one's folder too, and is None if that is not known.
        """
        if not cell.pretrains:
            return NO_DATA
        hashes = self.data.get(data_key(cell.config.data))
        own = None if hashes is None else hashes.pretraining(cell.config.pretraining)
        if cell.start is None or own is None:
            return own
        begun = self._data_hash(cell.start) or (self._of_one_id(cell.start.id) or "").partition("-")[2]
        return hashlib.blake2b(f"{own}-{begun}".encode(), digest_size=4).hexdigest() if begun else None

    def _of_id(self, id: str) -> list[str]:
        """Names of the folders of cells with this id."""
        if self._names is None:
            self._names = {}
            for name in self.store.place.folders("cells"):
                self._names.setdefault(name.partition("-")[0], []).append(name)
        return self._names.get(id, [])

    def _of_one_id(self, id: str) -> str | None:
        names = self._of_id(id)
        return names[0] if len(names) == 1 else None

    def _locate(self, cell: Cell) -> tuple[CellFolder | None, str]:
        """The folder, and what is known of others with the cell's id."""
        names = self._of_id(cell.id)
        data_hash = self._data_hash(cell)
        if data_hash is not None:
            own = f"{cell.id}-{data_hash}"
            return self.store.named(own), self._others([name for name in names if name != own])
        if len(names) > 1:
            return None, (
                f"{len(names)} results of this cell, on different data: {'; '.join(map(self._described, names))}; "
                "choose one by the folder of its data set, with --root"
            )
        return (self.store.named(names[0]), "") if names else (None, "")

    def _others(self, names: list[str]) -> str:
        return f"on other data: {'; '.join(map(self._described, names))}" if names else ""

    def _described(self, name: str) -> str:
        """``done as 0123456789ab-01234567 (ucf101: train 12, test 18 videos)``"""
        folder = self.store.named(name)
        try:
            data = (folder.provenance() or {}).get("data")
        except StorageError:
            data = None
        if not isinstance(data, dict):
            return f"{folder.state().status} as {name} (stored by another version of raysl: raysl carry takes it over)"
        counts = ", ".join(f"{split} {count}" for split, count in (data.get("videos") or {}).items())
        return f"{folder.state().status} as {name} ({data.get('name')}: {counts} videos)"

    def _damaged(self, evaluation: EvaluationConfig, damaged: Mapping[str, EvaluationFault]) -> StoredEvaluation | None:
        """The evaluation, if it is stored on this data (or the only one, if that is unknown) but cannot be used."""
        name = self.evaluation_name(evaluation)
        if name is None:
            alike = [one for one in damaged if one.startswith(f"{evaluation_id(evaluation)}-")]
            name = alike[0] if len(alike) == 1 else None
        fault = damaged.get(name or "")
        return None if fault is None else StoredEvaluation(evaluation, name, "missing", fault.reason, fault=fault)

    def _evaluation(
        self, evaluation: EvaluationConfig, records: Mapping[str, dict[str, Any]], faults: Mapping[str, str]
    ) -> StoredEvaluation:
        id, name = evaluation_id(evaluation), self.evaluation_name(evaluation)
        others = [one for one in records if one.startswith(f"{id}-") and one != name]
        if name is None and len(others) == 1:
            name = others[0]
        if name is None or name not in records:
            known = f"made on other data: {', '.join(others)}" if others else ""
            reason = faults.get(name or "") or known or faults.get(EVALUATION, "")
            return StoredEvaluation(evaluation, name, "missing", reason)
        record = records[name]
        reason = str(record["reason"]) if record["status"] == "failed" else ""
        return StoredEvaluation(evaluation, name, record["status"], reason, record)


def _with_current_options(state: CellState, cell: Cell) -> CellState:
    """The state, except that a failure caused by an option does not count if that option has another value now."""
    decided = state.progress.get(DECIDED_BY) if state.status == "failed" else None
    for key, before in decided.items() if isinstance(decided, dict) else ():
        value: Any = cell.config
        for name in str(key).split("."):
            value = getattr(value, name, None)
        if value != before:
            return CellState("missing", f"it failed with {key} {before}, which is {value} now: {state.reason}")
    return state
