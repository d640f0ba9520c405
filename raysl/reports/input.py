"""The input of a report: plain data, so that a table can be made from any source of results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from raysl.planning.differences import Differences
from raysl.published import Match, PublishedTable, Value
from raysl.results.search_folder import SearchTrial


@dataclass(frozen=True)
class Column:
    """One column of the table: a metric of an evaluation.

    Attributes:
        evaluation: label, e.g. ``linear/ucf101``.
        metric: e.g. ``top1``, ``R@1``; empty while no result has determined the headline metric.
    """

    evaluation: str
    metric: str

    @property
    def key(self) -> str:
        return f"{self.evaluation}:{self.metric}"

    @property
    def heading(self) -> str:
        return f"{self.evaluation} {self.metric}".rstrip()


@dataclass(frozen=True)
class EvaluationRecord:
    """One evaluation of one cell.

    Attributes:
        name: its id; equal names on one cell are one result.
        headline: the metric that ``correct`` belongs to.
        metrics: from name to percent.
        correct: from test video to whether it was right under the headline metric, or to the share of its right answers
            (`raysl.reports.pooled`); its keys are the test set.
        recordings: from test video to its recording (`raysl.data.catalog.CatalogReader.recording`); empty if unknown.
        left_out: numbers of videos that were not used, e.g. ``{"unreadable test": 2}``; no zeros.
        failure: why there are no metrics; else empty.
        answers: from test video to the index of its class and of the predicted one, None if the protocol predicts none.
        classes: their names by index; empty if unknown.
        details: other data from the protocol.
        snapshot: hash of the data set as read; empty if unknown.
    """

    name: str
    headline: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    correct: Mapping[str, bool | Fraction] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    failure: str = ""
    recordings: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, tuple[int, int | None]] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    snapshot: str = ""

    @property
    def n_test(self) -> int:
        return len(self.correct)


@dataclass(frozen=True)
class CellResult:
    """One row at one seed: a cell, or the mean over those that are its parts.

    Attributes:
        cell: name of the cell's folder; empty if there is none.
        status: missing, running, interrupted, done, failed, broken.
        reason: one sentence for failed and broken.
        evaluations: by label; None if there is no result.
        unreadable: training videos that were left out or replaced.
        minutes, clips_per_second: of pretraining; None if unknown.
        peak_memory_gib: of the GPU; None where none was used.
        commit: of the code, ``unknown`` outside a checkout; None without provenance.
        dirty: the code differed from the commit.
        missing: videos in the training set's lists that have no file.
        too_short: training videos shorter than a clip or window; their clips wrap around or are reflected.
        left_out: readable training videos that are not trained on.
        collapsed: what had collapsed at the end of pretraining; empty if nothing had.
        fold: of the training; None without folds, and for a mean over them.
        parts: that this is the mean of, one for each fold; then ``cell`` has the names of all.
        waiting: from label to why a missing evaluation could not be computed, if known.
        behind: labels and cells of the evaluations that train a cell.
    """

    seed: int
    cell: str
    status: str
    reason: str = ""
    evaluations: Mapping[str, EvaluationRecord | None] = field(default_factory=dict)
    unreadable: int = 0
    minutes: float | None = None
    clips_per_second: float | None = None
    commit: str | None = None
    dirty: bool = False
    missing: int = 0
    too_short: int = 0
    left_out: int = 0
    collapsed: str = ""
    fold: int | None = None
    parts: tuple[CellResult, ...] = ()
    waiting: Mapping[str, str] = field(default_factory=dict)
    behind: tuple[tuple[str, CellResult], ...] = ()
    peak_memory_gib: float | None = None


@dataclass(frozen=True)
class RowInput:
    """One line of the table, with its cells by seed; two rows may share cells."""

    name: str
    cells: tuple[CellResult, ...]

    @property
    def records(self) -> Mapping[str, list[EvaluationRecord]]:
        """From evaluation label to its results, in the order of the cells."""
        found: dict[str, list[EvaluationRecord]] = {}
        for cell in self.cells:
            for label, record in cell.evaluations.items():
                if record is not None:
                    found.setdefault(label, []).append(record)
        return found


@dataclass(frozen=True)
class ReferenceLine:
    """A line below the rows that is no cell: a trivial baseline, with the origin of its numbers.

    Attributes:
        values: from column key (``linear/ucf101:top1``) to percent.
    """

    name: str
    values: Mapping[str, float]
    note: str = ""


@dataclass(frozen=True)
class Published:
    """The published table that a study reproduces, matched with our rows and columns.

    Attributes:
        match: its columns are by text; here are ours.
        columns: from our column to the published one.
    """

    match: Match
    columns: Mapping[Column, str]

    @property
    def table(self) -> PublishedTable:
        return self.match.table

    @property
    def rows(self) -> tuple[str, ...]:
        """Our rows that have a published one."""
        return tuple(self.match.rows)

    def line(self, row: str) -> tuple[Value, ...]:
        """The whole published row."""
        return self.table.rows[self.match.rows[row]]

    def number(self, row: str, column: Column) -> float | None:
        """The published number; None if it is unknown, or if row or column have none."""
        if row not in self.match.rows or column not in self.columns:
            return None
        value = self.line(row)[self.table.columns.index(self.columns[column])]
        return None if value is None else float(value)


@dataclass(frozen=True)
class Searched:
    """The open search that chose rows of a table.

    Attributes:
        trials: all of them, in any state.
        wanted: how many trials the study requests.
        parameters: names of searched parameters, in the study's order.
        best: from row to the number of its trial, the best first; empty until all trials have ended.
        scored_by: description of the scores, e.g. ``kNN top-1 on ucf101's training videos``.
        seed: of every trial.
        steps: length of a trial, e.g. ``5 epochs of 20``.
        base: number of the trial that is the study's own configuration; None if there is none.

    Raises:
        ValueError: a number is repeated, a trial has a parameter that is not searched, a row is of no finished trial,
            or the base is an unknown trial.
    """

    trials: tuple[SearchTrial, ...]
    wanted: int
    parameters: tuple[str, ...]
    best: Mapping[str, int]
    scored_by: str
    seed: int
    steps: str
    base: int | None = None

    def __post_init__(self) -> None:
        if len({trial.number for trial in self.trials}) != len(self.trials):
            raise ValueError("the number of a trial is repeated")
        for trial in self.trials:
            if unknown := set(trial.point) - set(self.parameters):
                raise ValueError(f"trial {trial.number} has {sorted(unknown)}, which is none of {self.parameters}")
        finished = {trial.number for trial in self.trials if trial.status == "finished"}
        for row, number in self.best.items():
            if number not in finished:
                raise ValueError(f"row {row!r} is of trial {number}, which is no finished trial")
        if self.base is not None and all(trial.number != self.base for trial in self.trials):
            raise ValueError(f"the base is trial {self.base}, of which nothing is known")

    @property
    def ended(self) -> int:
        """How many trials have ended, in any way."""
        return sum(trial.ended for trial in self.trials)

    @property
    def complete(self) -> bool:
        return self.ended >= self.wanted


@dataclass(frozen=True)
class ReportInput:
    """The complete input of a table.

    Attributes:
        baseline: the row that differences are taken against; None for no differences.
        scale: name of the scale; ``paper`` is as published.
        footnotes: sentences below the table.
        store_link: folder of the store, relative to the report, that cells link to; None for no links.
        published: the table that the study reproduces; None for none.
        searched: the search that chose the rows; None if the study names them.
        differences: what each row changes, and what the scale and ``--set`` changed; None if unknown.

    Raises:
        ValueError: the baseline is no row, or a name or seed is repeated.
    """

    title: str
    rows: tuple[RowInput, ...]
    columns: tuple[Column, ...]
    baseline: str | None = None
    scale: str = "paper"
    references: tuple[ReferenceLine, ...] = ()
    footnotes: tuple[str, ...] = ()
    store_link: str | None = None
    published: Published | None = None
    searched: Searched | None = None
    differences: Differences | None = None

    def __post_init__(self) -> None:
        names = [row.name for row in self.rows]
        if self.baseline is not None and self.baseline not in names:
            raise ValueError(f"the baseline {self.baseline!r} is none of the rows {names}")
        if len(set(names)) != len(names) or len(set(self.columns)) != len(self.columns):
            raise ValueError(f"a row or a column of {self.title!r} is repeated")
        for row in self.rows:
            if len({cell.seed for cell in row.cells}) != len(row.cells):
                raise ValueError(f"a seed of row {row.name!r} is repeated")

    @cached_property
    def by_name(self) -> Mapping[str, RowInput]:
        """The rows."""
        return {row.name: row for row in self.rows}
