"""Where a cell lies in a store, how far it is, and which of its evaluations are there: the one place that says so."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
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
"""The second half of the name of a cell's folder where nothing is trained, so that no data is read."""

KEPT = (
    "what failed is kept as a result: raysl run --retry-failed computes it again, and so does another value of an "
    "option that decided it"
)
"""What is said wherever failures of a store are shown."""

Verdict = Literal["done", "failed", "missing"]


@dataclass(frozen=True)
class FoundEvaluation:
    """One evaluation that is wanted of a cell.

    Attributes:
        name: in the store, ``<evaluation id>-<data hash>``; None where neither the data nor a result is known.
        status: done, failed (a result), or missing.
        reason: of a failure; of a missing one what kept it from being computed, or on which other data it was made.
        record: as stored; None where missing.
        fault: of a missing one that is there and cannot be used.
        behind: of one that trains, the cell that it trains: whose evaluation this is, and in whose folder it lies.
    """

    config: EvaluationConfig
    name: str | None
    status: Verdict
    reason: str = ""
    record: Mapping[str, Any] | None = None
    fault: EvaluationFault | None = None
    behind: Found | None = None

    @property
    def label(self) -> str:
        return self.config.label


@dataclass(frozen=True)
class Found:
    """A cell as the store has it.

    Attributes:
        folder: None where no folder is known: its data was never read here, and none or several have its id.
        state: of the backbone.
        evaluations: those that the cell wants, in its order.
        elsewhere: on which other data the cell was computed, where it is not there on this; empty otherwise.
    """

    cell: Cell
    folder: CellFolder | None
    state: CellState
    evaluations: tuple[FoundEvaluation, ...] = ()
    elsewhere: str = ""

    @property
    def verdict(self) -> Verdict:
        """done: backbone and all evaluations are there; failed: nothing is missing but what failed."""
        return self._verdict(self.evaluations)

    @property
    def own(self) -> Verdict:
        """As `verdict`, without the evaluations that other cells stand behind."""
        return self._verdict(tuple(one for one in self.evaluations if one.behind is None))

    def _verdict(self, evaluations: tuple[FoundEvaluation, ...]) -> Verdict:
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
    def missing(self) -> tuple[FoundEvaluation, ...]:
        """Evaluations that are not there, or not to be read."""
        return tuple(one for one in self.evaluations if one.status == "missing")

    @property
    def to_compute(self) -> tuple[FoundEvaluation, ...]:
        """Evaluations that are still to be computed on this cell itself, not on one behind an evaluation."""
        return tuple(one for one in self.missing if one.behind is None and (one.fault is None or not one.fault.by_hand))

    @property
    def reason(self) -> str:
        """Why it failed, or what is known of why it is missing; empty for what is done."""
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
        data: hashes of the data sets as they are now, by `data_key`. Results of a data set that is not among them are
            found by id, where there is one alone.
    """

    store: Store
    data: Mapping[str, DataHashes] = field(default_factory=dict)
    _names: dict[str, list[str]] | None = None  # of cells' folders, by id

    def folder(self, cell: Cell) -> CellFolder:
        """Where the cell is computed on this data.

        Raises:
            KeyError: its data set was not read.
        """
        return self.store.folder(cell.id, self._data_hash(cell) or "")

    def find(self, cell: Cell) -> Found:
        """Reads how far the cell is.

        Raises:
            StorageError: the store cannot be read.
        """
        folder, elsewhere = self._locate(cell)
        if folder is None:
            lost = tuple(self._behind(cell, one) or FoundEvaluation(one, None, "missing") for one in cell.evaluations)
            return Found(cell, None, CellState("missing"), lost, elsewhere)
        state = _asked_anew(folder.state(), cell)
        empty = state.status == "missing" and not state.reason
        records, damaged = ({}, {}) if empty else folder.read_evaluations()
        faults = folder.faults() if state.status == "done" else {}
        found = tuple(
            self._behind(cell, one) or self._damaged(one, damaged) or self._evaluation(one, records, faults)
            for one in cell.evaluations
        )
        return Found(cell, folder, state, found, elsewhere if state.status != "done" else "")

    def evaluation_name(self, evaluation: EvaluationConfig) -> str | None:
        """``<id>-<data hash>``; None where its data set was not read."""
        hashes = self.data.get(data_key(evaluation.data))
        return None if hashes is None else f"{evaluation_id(evaluation)}-{hashes.evaluated}"

    def search(self, id: str, trained: CellConfig, scored: Chosen) -> str | None:
        """The name of a search's folder, ``<id>-<data hash>-<hash of what is scored>``.

        Where the data was not read it is the only one of this id; None where there is none or there are several.
        """
        ours, theirs = self.data.get(data_key(trained.data)), self.data.get(data_key(scored))
        if ours is not None and theirs is not None:
            return f"{id}-{ours.pretraining(trained.pretraining)}-{theirs.scored}"
        names = [name for name in self.store.place.folders("searches") if name.startswith(f"{id}-")]
        return names[0] if len(names) == 1 else None

    def _behind(self, cell: Cell, evaluation: EvaluationConfig) -> FoundEvaluation | None:
        """An evaluation that trains, by what the store has of the cell behind it; None for others.

        Where that failed, so did the evaluation.
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
        """Second half of the folder's name; None where the data set was not read.

        Of a cell that starts from another it is of that one's folder too, and None where no such folder is known.
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
                f"{len(names)} results of this cell, on different data: {'; '.join(map(self._described, names))}; say "
                "which is meant by the folder of its data set, with --root"
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

    def _damaged(self, evaluation: EvaluationConfig, damaged: Mapping[str, EvaluationFault]) -> FoundEvaluation | None:
        """The evaluation, where it is there on this data (or alone, where the data is not known) and cannot be used."""
        name = self.evaluation_name(evaluation)
        if name is None:
            alike = [one for one in damaged if one.startswith(f"{evaluation_id(evaluation)}-")]
            name = alike[0] if len(alike) == 1 else None
        fault = damaged.get(name or "")
        return None if fault is None else FoundEvaluation(evaluation, name, "missing", fault.reason, fault=fault)

    def _evaluation(
        self, evaluation: EvaluationConfig, records: Mapping[str, dict[str, Any]], faults: Mapping[str, str]
    ) -> FoundEvaluation:
        id, name = evaluation_id(evaluation), self.evaluation_name(evaluation)
        others = [one for one in records if one.startswith(f"{id}-") and one != name]
        if name is None and len(others) == 1:
            name = others[0]
        if name is None or name not in records:
            known = f"made on other data: {', '.join(others)}" if others else ""
            reason = faults.get(name or "") or known or faults.get(EVALUATION, "")
            return FoundEvaluation(evaluation, name, "missing", reason)
        record = records[name]
        reason = str(record["reason"]) if record["status"] == "failed" else ""
        return FoundEvaluation(evaluation, name, record["status"], reason, record)


def _asked_anew(state: CellState, cell: Cell) -> CellState:
    """A failure that an option decided which has another value now is none any more; other states as they are."""
    decided = state.progress.get(DECIDED_BY) if state.status == "failed" else None
    for key, before in decided.items() if isinstance(decided, dict) else ():
        value: Any = cell.config
        for name in str(key).split("."):
            value = getattr(value, name, None)
        if value != before:
            return CellState("missing", f"it failed with {key} {before}, which is {value} now: {state.reason}")
    return state
