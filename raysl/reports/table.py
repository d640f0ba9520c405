"""From results to a typed table: entries, differences, corrected tests, lettered footnotes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from raysl.reports.footnotes import Footnotes, column_notes, note_holes, training_notes
from raysl.reports.input import Column, ReportInput, RowInput
from raysl.reports.ordering import Ordering, orderings
from raysl.reports.over_videos import VideoTest, compare_answers, count_recordings
from raysl.reports.pairs import computed_on_other_videos, is_share, result, sample_of, seed_pairs
from raysl.reports.power import detectable, pooled_spread
from raysl.reports.statistics import LEVEL, PERCENT, Sample, describe, holm


@dataclass(frozen=True)
class Difference:
    """A row against the baseline in one column.

    Attributes:
        sample: differences over the seeds that both have; its ``p`` is the paired t-test's.
        same: both rows are the same results, so nothing is tested.
        videos: the test over test videos; None if the column is not the headline metric.
        p_adjusted: the t-test's p, Holm-adjusted; None if it is not in the tested family.
    """

    sample: Sample
    same: bool
    videos: VideoTest | None
    p_adjusted: float | None = None

    @property
    def decided(self) -> bool:
        """Whether the seeds decide it: the corrected p of the paired t-test is below 5 %."""
        return self.p_adjusted is not None and self.p_adjusted < LEVEL


@dataclass(frozen=True)
class Entry:
    """A row in one column.

    Attributes:
        seeds: those with a value, in the order of ``sample.values``.
        holes: why the other seeds have none.
        marks: letters of footnotes.
        difference: None for the baseline itself, without a baseline, or if nothing can be paired.
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
class Planning:
    """The power of the present seeds in one column.

    Attributes:
        seeds: the most that any row has in common with the baseline.
        spread: standard deviation of the paired differences, pooled over rows.
        detectable: the true difference in points that these seeds find four times of five, by one test at 5 %.
        corrected: the same at Holm's first level, 5 % over the number of tests.
    """

    column: Column
    seeds: int
    spread: float
    detectable: float
    corrected: float


@dataclass(frozen=True)
class Table:
    """A table ready to be rendered.

    Attributes:
        source: what it was made from.
        column_marks: letters of footnotes, by column.
        footnotes: letter and text, in order.
        headlines: by column, whether it is the headline metric of its evaluation; those are tested.
        test_videos: from evaluation label to the sizes of its test sets.
        recordings: from evaluation label to the numbers of recordings of these, in their order; None if unknown.
        planning: by headline column, if differences have a spread.
        orderings: our rows against the published order, by column that is matched with a published one.
    """

    source: ReportInput
    column_marks: tuple[tuple[str, ...], ...]
    rows: tuple[TableRow, ...]
    footnotes: tuple[tuple[str, str], ...]
    headlines: tuple[bool, ...]
    test_videos: dict[str, tuple[int, ...]]
    recordings: dict[str, tuple[int | None, ...]]
    planning: tuple[Planning, ...] = ()
    orderings: tuple[Ordering, ...] = ()

    @property
    def has_differences(self) -> bool:
        return self.source.baseline is not None and len(self.source.rows) > 1

    @cached_property
    def shown(self) -> tuple[int, ...]:
        """Indices of the main columns: headline metrics, or all if there are none."""
        found = tuple(position for position, headline in enumerate(self.headlines) if headline)
        return found or tuple(range(len(self.headlines)))

    @cached_property
    def family(self) -> int:
        """How many differences Holm's correction over seeds is over."""
        return _family(self.rows)

    @property
    def first_level(self) -> float:
        """The bound of the smallest p for its difference to be decided."""
        return LEVEL / max(1, self.family)


def build_table(source: ReportInput) -> Table:
    """Everything that is computed for a table. Same input, same table."""
    notes = Footnotes()
    column_marks = tuple(column_notes(notes, source, column) for column in source.columns)
    baseline = next((row for row in source.rows if row.name == source.baseline), None)
    headlines = tuple(_is_headline(source, column) for column in source.columns)
    rows = _corrected(tuple(_row(notes, row, baseline, source.columns) for row in source.rows), headlines)
    sets = _test_sets(source)
    return Table(
        source,
        column_marks,
        rows,
        notes.lines(),
        headlines,
        {label: tuple(size for size, _ in found) for label, found in sets.items()},
        {label: tuple(recordings for _, recordings in found) for label, found in sets.items()},
        _planning(source.columns, rows, headlines),
        orderings(source),
    )


def _is_headline(source: ReportInput, column: Column) -> bool:
    records = (result(cell, column) for row in source.rows for cell in row.cells)
    return all(record.headline == column.metric for record in records if record is not None)


def _row(notes: Footnotes, row: RowInput, baseline: RowInput | None, columns: tuple[Column, ...]) -> TableRow:
    marks = training_notes(notes, row)
    entries = tuple(_entry(notes, row, baseline, column) for column in columns)
    return TableRow(row.name, marks, entries)


def _entry(notes: Footnotes, row: RowInput, baseline: RowInput | None, column: Column) -> Entry:
    found = [(cell, record) for cell in row.cells if (record := result(cell, column)) is not None]
    filled = {cell.seed for cell, _ in found}
    holes, marks = note_holes(notes, row, column, [cell for cell in row.cells if cell.seed not in filled])
    bounds = PERCENT if is_share(column, [record for _, record in found]) else None
    sample = describe([record.metrics[column.metric] for _, record in found], bounds)
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
    return Difference(sample, False, compare_answers([pair.records for pair in pairs]) if headline else None), ()


def _corrected(rows: tuple[TableRow, ...], headlines: Sequence[bool]) -> tuple[TableRow, ...]:
    """Holm over the differences of all headline metrics: one family of tests over seeds, one over videos."""
    tested = [
        one if headline and (one := entry.difference) is not None and not one.same else None
        for row in rows
        for entry, headline in zip(row.entries, headlines, strict=True)
    ]
    seeds = iter(holm([None if one is None else _p(one.sample) for one in tested]))
    videos = iter(holm([None if one is None or one.videos is None else one.videos.p for one in tested]))

    def corrected(entry: Entry) -> Entry:
        over_seeds, over_videos = next(seeds), next(videos)
        found = entry.difference
        if found is None:
            return entry
        adjusted = None if found.videos is None else replace(found.videos, p_adjusted=over_videos)
        return replace(entry, difference=replace(found, p_adjusted=over_seeds, videos=adjusted))

    return tuple(replace(row, entries=tuple(corrected(entry) for entry in row.entries)) for row in rows)


def _p(sample: Sample) -> float | None:
    """Equal differences at enough seeds cannot be tested; they still count in the family, as not significant."""
    return 1.0 if sample.all_equal else sample.p


def _family(rows: Sequence[TableRow]) -> int:
    differences = (entry.difference for row in rows for entry in row.entries)
    return sum(one is not None and one.p_adjusted is not None for one in differences)


def _planning(columns: Sequence[Column], rows: Sequence[TableRow], headlines: Sequence[bool]) -> tuple[Planning, ...]:
    found, level = [], LEVEL / max(1, _family(rows))
    for position, column in enumerate(columns):
        differences = [one for row in rows if (one := row.entries[position].difference) is not None]
        samples = [one.sample for one in differences if not one.same and one.sample.spread is not None]
        spread = pooled_spread(samples)
        if headlines[position] and spread:
            seeds = max(len(one.values) for one in samples)
            least, corrected = (detectable(spread, seeds, one) for one in (LEVEL, level))
            found.append(Planning(column, seeds, spread, least, corrected))
    return tuple(found)


def _test_sets(source: ReportInput) -> dict[str, list[tuple[int, int | None]]]:
    """From evaluation label to its test sets: numbers of clips and recordings."""
    sizes: dict[str, set[tuple[int, int | None]]] = {}
    for column in source.columns:
        for row in source.rows:
            for cell in row.cells:
                if (record := result(cell, column)) is not None and record.n_test:
                    sizes.setdefault(column.evaluation, set()).add((record.n_test, count_recordings(record)))
    return {label: sorted(found, key=lambda one: (one[0], one[1] or 0)) for label, found in sizes.items()}
