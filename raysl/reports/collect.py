"""Collects the input of a report from a store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from threading import Lock
from types import MappingProxyType
from typing import Any

import pyarrow

from raysl.config.cells import Cell, evaluation_key, unique_cells
from raysl.config.component import Chosen
from raysl.config.suggest import nearest
from raysl.data.catalog import CatalogReader, Video
from raysl.data.snapshot import data_key
from raysl.errors import ConfigError, ObstructedError, StorageError, StoreLostError
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
from raysl.reports.per_video import Answers
from raysl.reports.pooled import pooled_cell, pooled_record
from raysl.reports.versions import refuse_several_versions
from raysl.results import CellFolder, Shelf, Store, StoredCell, StoredEvaluation

MOST_CLIPS = 100
"""The most clips of a video: shares of them are stored as decimal numbers."""


def collect(
    shelf: Shelf,
    cells: Sequence[Cell],
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
    trivial: Mapping[str, str] = MappingProxyType({}),
) -> ReportInput:
    """Reads what a table needs; a missing, failed or unreadable cell becomes a hole with its reason.

    Args:
        cells: in the table's order of rows.
        columns: ``LABEL`` (its headline metric) or ``LABEL:METRIC``; None for every label's headline.
        published: the table that the study reproduces; its columns are written like ``columns``.
        searched: the search that chose the rows. Until it has chosen, a baseline among them is no row yet, and a
            footnote replaces differences.
        trivial: from rows below the table, like references, to a description of their features.

    Raises:
        StorageError: the store cannot be read.
        ConfigError: a column is of no evaluation of these cells (not checked without cells), or results are of several
            versions of one data set.
    """
    unique = unique_cells(cells)
    reader = _Reader(shelf.store, {one.key: found for one, found in zip(unique, shelf.find_all(unique), strict=True)})
    refuse_several_versions(title, reader.found.values())
    reader.read()
    parts: dict[tuple[str, int], list[CellResult]] = {}
    for cell in cells:
        parts.setdefault((cell.row, cell.seed), []).append(reader.cell(cell))
    rows: dict[str, list[CellResult]] = {}
    for (row, _), results in parts.items():
        rows.setdefault(row, []).append(pooled_cell(results))
    labels = list(dict.fromkeys(evaluation.label for cell in cells for evaluation in cell.evaluations))
    texts = labels if columns is None else list(dict.fromkeys(columns))
    found_columns = {text: _column(text, labels, rows) for text in texts}
    lines = [_trivial(name, note, rows.pop(name)[0], found_columns) for name, note in trivial.items() if name in rows]
    unchosen = baseline if searched is not None and baseline is not None and baseline not in rows else None
    notes = () if unchosen is None else (f"No differences yet: the search has not given the baseline, {unchosen}.",)
    return ReportInput(
        title=title,
        rows=tuple(RowInput(name, tuple(found)) for name, found in rows.items()),
        columns=tuple(found_columns.values()),
        baseline=None if unchosen is not None else baseline,
        scale=scale,
        references=(*references, *lines),
        footnotes=(*footnotes, *notes, *reader.notes),
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


def _trivial(name: str, note: str, cell: CellResult, columns: Mapping[str, Column]) -> ReferenceLine:
    """The line of a row without training; its note has what is missing."""
    values, lacks = dict[str, float](), dict[str, None]()
    for column in columns.values():
        record = cell.evaluations.get(column.evaluation)
        if record is not None and column.metric in record.metrics:
            values[column.key] = record.metrics[column.metric]
        elif record is not None and record.failure:
            lacks[f"{column.evaluation}: {record.failure}"] = None
        elif column.evaluation in cell.evaluations:
            reason = cell.waiting.get(column.evaluation, cell.reason)
            lacks[f"{column.evaluation}: {reason or 'no result yet'}"] = None
    return ReferenceLine(name, values, "; ".join([note, *lacks]))


@dataclass
class _Reader:
    """Reads each cell and each evaluation once, however many rows share it.

    Attributes:
        found: by `Cell.key`, with the evaluations of all rows.
        notes: which data sets' lists could not be read.
    """

    store: Store
    found: Mapping[str, StoredCell]
    _results: dict[str, CellResult] = field(default_factory=dict)
    _records: dict[tuple[str, str], EvaluationRecord] = field(default_factory=dict)
    _listed: dict[tuple[str, str], tuple[Mapping[str, str], tuple[str, ...]] | None] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    _answers: Answers = field(default_factory=Answers)
    _lock: Lock = field(default_factory=Lock)

    def read(self) -> None:
        """Reads all cells; on a bucket several at the same time."""
        self.store.of_cells(self._read, list(self.found.values()))

    def _read(self, found: StoredCell) -> None:
        if found.folder is None:
            return
        self._results[found.cell.key] = _cell_result(found, found.folder)
        for one in found.evaluations if found.state.status == "done" else ():
            self._record(found.folder, one)

    def cell(self, cell: Cell) -> CellResult:
        found = self.found[cell.key]
        if found.folder is None:
            return CellResult(cell.seed, "", "missing", found.reason, fold=cell.fold)
        by_key = {evaluation_key(one.config): one for one in found.evaluations}
        wanted: dict[str, dict[str, StoredEvaluation]] = {}
        for evaluation in cell.evaluations:
            fold = f"fold {getattr(evaluation.data.options, 'fold', None)}"
            wanted.setdefault(evaluation.label, {})[fold] = by_key[evaluation_key(evaluation)]
        records: dict[str, EvaluationRecord | None] = dict.fromkeys(wanted)
        waiting: dict[str, str] = {}
        for label, ones in wanted.items() if found.state.status == "done" else ():
            records[label] = pooled_record({fold: self._record(found.folder, one) for fold, one in ones.items()})
            reasons = [one.reason for one in ones.values() if one.record is None and one.reason]
            waiting |= {label: reasons[0]} if reasons else {}
        return replace(
            self._results[cell.key],
            seed=cell.seed,
            fold=cell.fold,
            evaluations=records,
            waiting=waiting,
            behind=tuple(
                (label, replace(_cell_result(one.behind, one.behind.folder), seed=cell.seed))
                for label, ones in wanted.items()
                for one in ones.values()
                if one.behind is not None
            ),
        )

    def _record(self, folder: CellFolder, one: StoredEvaluation) -> EvaluationRecord | None:
        folder = folder if one.behind is None else one.behind.folder or folder
        if one.name is None or one.record is None:
            return EvaluationRecord("", failure=one.reason) if one.status == "failed" else None
        key = (folder.name, one.name)
        if key not in self._records:
            found = _evaluation(folder, one.name, one.record, self._answers)
            recordings, classes = self._listed_of(one, one.record, found.correct)
            self._records[key] = replace(found, recordings=recordings, classes=classes)
        return self._records[key]

    def _listed_of(
        self, one: StoredEvaluation, record: Mapping[str, Any], videos: Iterable[str]
    ) -> tuple[Mapping[str, str], tuple[str, ...]]:
        """The recordings of test videos, and the classes, from the lists in the store.

        Without these, recordings by the paths only, and no classes.
        """
        hash = str((record.get("data") or {}).get("snapshot") or "")
        key = (hash, data_key(one.config.data))
        with self._lock:
            if key not in self._listed:
                self._listed[key] = self._read_list(hash, one.config.data)
        listed = self._listed[key]
        if listed is not None:
            return listed
        return _named(one.config.data, (Video(0, path, None, "") for path in videos)), ()

    def _read_list(self, hash: str, data: Chosen) -> tuple[Mapping[str, str], tuple[str, ...]] | None:
        """None if the store does not have the list."""
        try:
            catalog = self.store.snapshot(hash).catalog if hash else None
            return None if catalog is None else (_named(data, catalog.videos), catalog.classes)
        except StoreLostError:
            raise
        except StorageError:
            self.notes[
                f"The list of {data.bound_name}'s videos, data/{hash}.parquet of the store, is not there or not whole: "
                "which clips were cut from one recording is read from their paths, where these say it. The study's "
                "next run writes the list anew."
            ] = None
            return None


def _named(data: Chosen, videos: Iterable[Video]) -> dict[str, str]:
    """From path to recording, for videos whose recording the data set's reader knows."""
    reader: CatalogReader = data.build()
    named = {video.path: reader.recording(video) for video in videos}
    return {path: name for path, name in named.items() if name is not None}


def _cell_result(found: StoredCell, folder: CellFolder | None) -> CellResult:
    if folder is None:
        return CellResult(found.cell.seed, "", found.state.status, found.reason)
    summary = found.state.progress if found.state.status == "done" else {}
    try:
        provenance = folder.provenance() or {}
    except StorageError:  # the result is valid; the list of cells shows that the commit is unreadable
        provenance = {"git": {"commit": "unreadable"}}
    git = provenance.get("git") or {}
    return CellResult(
        seed=0,
        cell=folder.name,
        status=found.state.status,
        reason="; ".join(text for text in (found.state.reason, found.elsewhere) if text),
        unreadable=int(summary.get("unreadable") or 0),
        missing=int(summary.get("missing") or 0),
        too_short=int(summary.get("too_short") or 0),
        left_out=int(summary.get("left_out") or 0),
        collapsed=str(summary.get("collapsed") or ""),
        minutes=summary.get("minutes"),
        clips_per_second=summary.get("clips_per_second") or None,
        peak_memory_gib=summary.get("peak_memory_gib"),
        commit=git.get("commit"),
        dirty=bool(git.get("dirty")),
    )


def _evaluation(folder: CellFolder, name: str, record: Mapping[str, Any], known: Answers) -> EvaluationRecord:
    if record["status"] == "failed":
        return EvaluationRecord(name, failure=str(record["reason"]))
    try:
        predictions, metrics = folder.prediction_table(name, dict(record)), record.get("metrics")
    except ObstructedError as error:
        return EvaluationRecord(name, failure=folder.without_place(str(error)))
    if predictions is None or not isinstance(metrics, dict) or not metrics:
        return EvaluationRecord(name, failure=f"evaluations/{name} has no metrics or no readable predictions")
    places = known.places(predictions["path"].to_pylist())
    return EvaluationRecord(
        name,
        headline=str(record.get("headline") or next(iter(metrics))),
        metrics={str(metric): float(value) for metric, value in metrics.items()},
        correct=_correct(known, places, predictions),
        left_out=_left_out(record.get("details")),
        answers=_answers(known, places, predictions),
        details=details if isinstance(details := record.get("details"), dict) else {},
        snapshot=str((record.get("data") or {}).get("snapshot") or ""),
    )


def _correct(known: Answers, places: Mapping[str, int], predictions: pyarrow.Table) -> Mapping[str, bool | Fraction]:
    """From path to whether the answer is right; empty if the headline is no share of correct videos (mAP)."""
    if "correct" not in predictions.column_names:
        return {}
    return known.per_video(places, map(_right, predictions["correct"].to_pylist()))


def _right(stored: bool | float) -> bool | Fraction:
    """Whether a video's answer was right, or the share of its clips' answers, as the exact fraction."""
    return stored if isinstance(stored, bool) else Fraction(stored).limit_denominator(MOST_CLIPS)


def _answers(
    known: Answers, places: Mapping[str, int], predictions: pyarrow.Table
) -> Mapping[str, tuple[int, int | None]]:
    """From path to true and predicted class."""
    if "label" not in predictions.column_names:
        return {}
    has_classes = "predicted" in predictions.column_names
    predicted = predictions["predicted"].to_pylist() if has_classes else [None] * len(predictions)
    return known.per_video(places, zip(predictions["label"].to_pylist(), predicted, strict=True))


def _left_out(details: Any) -> dict[str, int]:
    """Counts of `raysl.evaluation.evaluate`'s details: unreadable and unlabelled videos by split, missing files."""
    counts: dict[str, int] = {}
    for what in ("unreadable", "unlabelled"):
        by_split = (details or {}).get(what) or {}
        for split, found in by_split.items():
            counts[f"{what} {split}"] = len(found) if isinstance(found, dict | list) else int(found)
    counts["missing files"] = int((details or {}).get("missing") or 0)
    return {what: count for what, count in counts.items() if count}
