"""From a store to what a report is made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from raysl.config.suggest import nearest
from raysl.errors import ConfigError, StorageError
from raysl.planning.differences import Differences
from raysl.published import Match
from raysl.reports.input import (
    CellResult,
    Column,
    EvaluationRecord,
    Published,
    ReferenceLine,
    ReportInput,
    RowInput,
    Searched,
)
from raysl.results import CellFolder, Store


@dataclass(frozen=True)
class TableCell:
    """One row at one seed, as a plan names it.

    Attributes:
        row: name of the row. seed: its seed.
        cell_id: hash of the configuration.
        data_hash: second half of the folder's name; None where it is not known (a head node without the data): then
            the folder is found by the id.
        evaluations: label to the evaluation's id.
    """

    row: str
    seed: int
    cell_id: str
    data_hash: str | None
    evaluations: Mapping[str, str]


def collect(
    store: Store,
    cells: Sequence[TableCell],
    *,
    title: str,
    baseline: str | None = None,
    scale: str = "paper",
    columns: Sequence[str] | None = None,
    references: Iterable[ReferenceLine] = (),
    footnotes: Iterable[str] = (),
    store_link: str | None = None,
    published: Match | None = None,
    searched: Searched | None = None,
    differences: Differences | None = None,
) -> ReportInput:
    """Reads what a table needs; a missing, failed or unreadable cell becomes a hole with its reason.

    Args:
        cells: in the table's order of rows.
        columns: ``LABEL`` (its headline metric) or ``LABEL:METRIC``; None for every label's headline.
        published: the table that the study reproduces; its columns are written as ``columns`` are.
        searched: the search that chose the rows. Until it has chosen, a baseline among them is no row yet, and a
            footnote stands in the place of differences.

    Raises:
        StorageError: the store cannot be read.
        ConfigError: a column is of no evaluation of these cells; not checked where there are none.
    """
    reader = _Reader(store)
    rows: dict[str, list[CellResult]] = {}
    for cell in cells:
        rows.setdefault(cell.row, []).append(reader.cell(cell))
    labels = list(dict.fromkeys(label for cell in cells for label in cell.evaluations))
    texts = labels if columns is None else list(dict.fromkeys(columns))
    found_columns = {text: _column(text, labels, rows) for text in texts}
    unchosen = baseline if searched is not None and baseline is not None and baseline not in rows else None
    notes = () if unchosen is None else (f"No differences yet: the search has not given the baseline, {unchosen}.",)
    return ReportInput(
        title=title,
        rows=tuple(RowInput(name, tuple(found)) for name, found in rows.items()),
        columns=tuple(found_columns.values()),
        baseline=None if unchosen is not None else baseline,
        scale=scale,
        references=tuple(references),
        footnotes=(*footnotes, *notes),
        store_link=store_link,
        published=None if published is None else _published(published, found_columns),
        searched=searched,
        differences=differences,
    )


def _published(match: Match, columns: Mapping[str, Column]) -> Published:
    return Published(match, {columns[text]: name for text, name in match.columns.items()})


def _column(text: str, labels: Sequence[str], rows: Mapping[str, Sequence[CellResult]]) -> Column:
    label, colon, metric = text.partition(":")
    if labels and label not in labels:
        raise ConfigError(f"column {text!r}: no evaluation is called {label!r}{nearest(label, labels)}")
    if colon:
        return Column(label, metric)
    records = (cell.evaluations.get(label) for found in rows.values() for cell in found)
    headlines = [record.headline for record in records if record is not None and not record.failure]
    return Column(label, headlines[0] if headlines else "")


@dataclass
class _Reader:
    """Reads each cell and each evaluation once, however many rows share it."""

    store: Store
    _names: list[str] | None = None
    _results: dict[str, CellResult] = field(default_factory=dict)
    _records: dict[tuple[str, str], EvaluationRecord | None] = field(default_factory=dict)

    def cell(self, wanted: TableCell) -> CellResult:
        folder, problem = self._folder(wanted)
        if folder is None:
            return CellResult(wanted.seed, "", "missing", problem)
        if folder.name not in self._results:
            self._results[folder.name] = _cell_result(folder)
        found = self._results[folder.name]
        done = found.status == "done"
        records = {label: self._record(folder, name) if done else None for label, name in wanted.evaluations.items()}
        return CellResult(**{**vars(found), "seed": wanted.seed, "evaluations": records})

    def _folder(self, wanted: TableCell) -> tuple[CellFolder | None, str]:
        if wanted.data_hash is not None:
            return self.store.folder(wanted.cell_id, wanted.data_hash), ""
        if self._names is None:
            self._names = [cell.name for cell in self.store.cells()]
        folders = [self.store.named(name) for name in self._names if name.startswith(f"{wanted.cell_id}-")]
        if len(folders) > 1:
            folders = [folder for folder in folders if folder.state().status == "done"] or folders
        if len(folders) > 1:
            return None, f"{len(folders)} results of this cell on different data; give the data's folder with --root"
        return (folders[0], "") if folders else (None, "")

    def _record(self, folder: CellFolder, name: str) -> EvaluationRecord | None:
        key = (folder.name, name)
        if key not in self._records:
            self._records[key] = _evaluation(folder, name)
        return self._records[key]


def _cell_result(folder: CellFolder) -> CellResult:
    state = folder.state()
    summary = state.progress if state.status == "done" else {}
    try:
        provenance = folder.provenance() or {}
    except StorageError:  # the result stands; the list of cells says in the commit's place that it is unreadable
        provenance = {"git": {"commit": "unreadable"}}
    git = provenance.get("git") or {}
    return CellResult(
        seed=0,
        cell=folder.name,
        status=state.status,
        reason=state.reason,
        unreadable=int(summary.get("unreadable") or 0),
        missing=int(summary.get("missing") or 0),
        too_short=int(summary.get("too_short") or 0),
        left_out=int(summary.get("left_out") or 0),
        minutes=summary.get("minutes"),
        clips_per_second=summary.get("clips_per_second") or None,
        commit=git.get("commit"),
        dirty=bool(git.get("dirty")),
    )


def _evaluation(folder: CellFolder, name: str) -> EvaluationRecord | None:
    record = folder.evaluation(name)
    if record is None:
        return None
    if record["status"] == "failed":
        return EvaluationRecord(name, failure=str(record["reason"]))
    predictions, metrics = folder.predictions(name), record.get("metrics")
    if predictions is None or not isinstance(metrics, dict) or not metrics:
        return EvaluationRecord(name, failure=f"evaluations/{name} has no metrics or no readable predictions")
    correct = zip(predictions["path"].tolist(), predictions["correct"].tolist(), strict=True)
    return EvaluationRecord(
        name,
        headline=str(record.get("headline") or next(iter(metrics))),
        metrics={str(metric): float(value) for metric, value in metrics.items()},
        correct={str(path): bool(right) for path, right in correct},
        left_out=_left_out(record.get("details")),
    )


def _left_out(details: Any) -> dict[str, int]:
    """Counts of `raysl.evaluation.run`'s details: unreadable and unlabelled videos by split, missing files."""
    counts: dict[str, int] = {}
    for what in ("unreadable", "unlabelled"):
        by_split = (details or {}).get(what) or {}
        for split, found in by_split.items():
            counts[f"{what} {split}"] = len(found) if isinstance(found, dict | list) else int(found)
    counts["missing files"] = int((details or {}).get("missing") or 0)
    return {what: count for what, count in counts.items() if count}
