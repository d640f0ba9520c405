"""Whether our rows are in the published order, as far as our seeds decide."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

from raysl.reports.input import Column, Published, ReportInput, RowInput
from raysl.reports.pairs import computed_on_other_videos, sample_of, seed_pairs
from raysl.reports.statistics import Sample

Verdict = Literal["agree", "disagree", "undecided", "unscored"]


@dataclass(frozen=True)
class OrderedPair:
    """Two rows in one column.

    Attributes:
        published: the first row's number minus the second's; None if one is unknown.
        sample: our differences, first minus second, over the seeds that both have.
        verdict: agree or disagree if the 95 % interval of our difference, uncorrected, excludes zero; undecided if it
            does not, or if there is none; unscored if the published side gives no order to compare with.
        reason: why a pair is unscored.
    """

    first: str
    second: str
    published: float | None
    sample: Sample
    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True)
class Ordering:
    """All pairs of matched rows in one column."""

    column: Column
    pairs: tuple[OrderedPair, ...]

    def count(self, verdict: Verdict) -> int:
        return sum(pair.verdict == verdict for pair in self.pairs)

    @property
    def decided(self) -> int:
        return self.count("agree") + self.count("disagree")

    @property
    def decidable(self) -> int:
        """Pairs that are scored, decided or not."""
        return self.decided + self.count("undecided")

    @property
    def tau(self) -> float | None:
        """Kendall's tau over the decided pairs, (agree - disagree) / (agree + disagree); None without such a pair."""
        agree, disagree = self.count("agree"), self.count("disagree")
        return None if agree + disagree == 0 else (agree - disagree) / (agree + disagree)


def orderings(source: ReportInput) -> tuple[Ordering, ...]:
    """An ordering for every column that is matched with a published one."""
    published = source.published
    if published is None:
        return ()
    rows = [row for row in source.rows if row.name in published.rows]
    return tuple(
        Ordering(column, tuple(_pair(published, one, two, column) for one, two in itertools.combinations(rows, 2)))
        for column in source.columns
        if column in published.columns
    )


def _pair(published: Published, one: RowInput, two: RowInput, column: Column) -> OrderedPair:
    numbers = [published.number(row.name, column) for row in (one, two)]
    theirs = None if numbers[0] is None or numbers[1] is None else numbers[0] - numbers[1]
    pairs = seed_pairs(one, two, column)
    sample = sample_of([] if computed_on_other_videos(pairs) else pairs, column)
    if published.match.is_unscored(one.name, two.name, published.columns[column]):
        return OrderedPair(one.name, two.name, theirs, sample, "unscored", "as the study says")
    if theirs is None:
        return OrderedPair(one.name, two.name, theirs, sample, "unscored", "a published number was not recovered")
    if theirs == 0:
        return OrderedPair(one.name, two.name, theirs, sample, "unscored", "the published numbers are equal")
    return OrderedPair(one.name, two.name, theirs, sample, _verdict(theirs, sample))


def _verdict(published: float, sample: Sample) -> Verdict:
    """Equal differences at every seed have no spread and no p: they cannot be tested and decide nothing."""
    if sample.mean is None or sample.low is None or sample.high is None or sample.p is None:
        return "undecided"
    if sample.low <= 0 <= sample.high:
        return "undecided"
    return "agree" if (sample.mean > 0) == (published > 0) else "disagree"
