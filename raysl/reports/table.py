"""From results to a typed table: entries, differences, corrected tests, lettered footnotes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from raysl.reports.footnotes import Footnotes, left_out_notes, note_holes, training_notes
from raysl.reports.input import Column, ReportInput, RowInput
from raysl.reports.ordering import Ordering, orderings
from raysl.reports.pairs import SeedPair, computed_on_other_videos, result, sample_of, seed_pairs
from raysl.reports.statistics import Sample, describe, holm, sign_flip_test


@dataclass(frozen=True)
class Difference:
    """A row against the baseline in one column.

    Attributes:
        sample: differences over the seeds that both have; its ``p`` is the paired t-test's.
        same: both rows are the same results, so nothing is tested.
        p_seeds: the t-test's p, Holm-adjusted. p_videos: the sign-flip test's over test videos, None where the
            column is not the headline metric. p_videos_adjusted: the same, Holm-adjusted.
    """

    sample: Sample
    same: bool
    p_videos: float | None
    p_seeds_adjusted: float | None = None
    p_videos_adjusted: float | None = None


@dataclass(frozen=True)
class Entry:
    """A row in one column.

    Attributes:
        seeds: those with a value, in the order of ``sample.values``.
        holes: why the other seeds have none.
        marks: letters of footnotes.
        difference: None for the baseline itself, without a baseline, or where nothing can be paired.
    """

    seeds: tuple[int, ...]
    sample: Sample
    holes: tuple[str, ...]
    marks: tuple[str, ...]
    difference: Difference | None


@dataclass(frozen=True)
class TableRow:
    """A line of the table; ``entries`` by column."""

    name: str
    marks: tuple[str, ...]
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Table:
    """A table that only needs to be rendered.

    Attributes:
        source: what it was made from.
        column_marks: letters of footnotes, by column.
        footnotes: letter and text, in order.
        test_videos: evaluation label to the sizes of the test sets it was computed on.
        orderings: our rows against the published order, by column that is matched with a published one.
    """

    source: ReportInput
    column_marks: tuple[tuple[str, ...], ...]
    rows: tuple[TableRow, ...]
    footnotes: tuple[tuple[str, str], ...]
    test_videos: dict[str, tuple[int, ...]]
    orderings: tuple[Ordering, ...] = ()


def build_table(source: ReportInput) -> Table:
    """Everything that is computed for a table. Same input, same table."""
    notes = Footnotes()
    column_marks = tuple(left_out_notes(notes, source, column) for column in source.columns)
    baseline = next((row for row in source.rows if row.name == source.baseline), None)
    rows = tuple(_row(notes, row, baseline, source.columns) for row in source.rows)
    return Table(source, column_marks, _corrected(rows), notes.lines(), _test_videos(source), orderings(source))


def _row(notes: Footnotes, row: RowInput, baseline: RowInput | None, columns: tuple[Column, ...]) -> TableRow:
    marks = training_notes(notes, row)
    entries = tuple(_entry(notes, row, baseline, column) for column in columns)
    return TableRow(row.name, marks, entries)


def _entry(notes: Footnotes, row: RowInput, baseline: RowInput | None, column: Column) -> Entry:
    found = [(cell, record) for cell in row.cells if (record := result(cell, column)) is not None]
    filled = {cell.seed for cell, _ in found}
    holes, marks = note_holes(notes, row, column, [cell for cell in row.cells if cell.seed not in filled])
    sample = describe([record.metrics[column.metric] for _, record in found])
    difference = None
    if baseline is not None and row.name != baseline.name:
        difference, mark = _difference(notes, row, baseline, column)
        marks = (*marks, *mark)
    return Entry(tuple(cell.seed for cell, _ in found), sample, holes, marks, difference)


def _difference(
    notes: Footnotes, row: RowInput, baseline: RowInput, column: Column
) -> tuple[Difference | None, tuple[str, ...]]:
    pairs = seed_pairs(row, baseline, column)
    if not pairs:
        return None, ()
    if computed_on_other_videos(pairs):
        text = f"{row.name}, {column.heading}: no difference to {baseline.name}, since their test videos differ"
        return None, (notes.letter(text),)
    sample = sample_of(pairs, column)
    if all(pair.same for pair in pairs):
        return Difference(sample, True, None), ()
    headline = all(record.headline == column.metric for pair in pairs for record in pair.records)
    return Difference(sample, False, _over_videos(pairs) if headline else None), ()


def _over_videos(pairs: list[SeedPair]) -> float | None:
    videos = sorted(pairs[0].records[0].correct)
    if not videos:
        return None
    answers = [[record.correct for record in pair.records] for pair in pairs]
    change = [sum(Fraction(ours[video]) - Fraction(theirs[video]) for ours, theirs in answers) for video in videos]
    unit = math.lcm(*(Fraction(one).denominator for one in change))
    return sign_flip_test(np.array([int(one * unit) for one in change], dtype=np.int64))


def _corrected(rows: tuple[TableRow, ...]) -> tuple[TableRow, ...]:
    """Holm over the whole table: one family of tests over seeds, one of tests over videos."""
    differences = [entry.difference for row in rows for entry in row.entries]
    tested = [one if one is not None and not one.same else None for one in differences]
    seeds = iter(holm([None if one is None else one.sample.p for one in tested]))
    videos = iter(holm([None if one is None else one.p_videos for one in tested]))

    def corrected(entry: Entry) -> Entry:
        over_seeds, over_videos = next(seeds), next(videos)
        if entry.difference is None:
            return entry
        adjusted = replace(entry.difference, p_seeds_adjusted=over_seeds, p_videos_adjusted=over_videos)
        return replace(entry, difference=adjusted)

    return tuple(replace(row, entries=tuple(corrected(entry) for entry in row.entries)) for row in rows)


def _test_videos(source: ReportInput) -> dict[str, tuple[int, ...]]:
    sizes: dict[str, set[int]] = {}
    for column in source.columns:
        for row in source.rows:
            for cell in row.cells:
                if (record := result(cell, column)) is not None:
                    sizes.setdefault(column.evaluation, set()).add(record.n_test)
    return {label: tuple(sorted(found)) for label, found in sizes.items()}
