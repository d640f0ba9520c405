"""Two rows at their common seeds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from raysl.reports.input import CellResult, Column, EvaluationRecord, RowInput
from raysl.reports.statistics import DIFFERENCE, Sample, paired

_SHARES = re.compile(r"(top|R@)\d+|mean_class|nearest_mean|map_neighbours")


@dataclass(frozen=True)
class SeedPair:
    """The results of two rows at one seed, each with the cell that it is of."""

    cells: tuple[CellResult, CellResult]
    records: tuple[EvaluationRecord, EvaluationRecord]

    @property
    def same(self) -> bool:
        """Whether both are one result."""
        (one, two), (ours, theirs) = self.cells, self.records
        return (one.cell, ours.name) == (two.cell, theirs.name)


def result(cell: CellResult, column: Column) -> EvaluationRecord | None:
    """The cell's evaluation, if it has a value in this column."""
    record = cell.evaluations.get(column.evaluation) if cell.status == "done" else None
    return record if record is not None and not record.failure and column.metric in record.metrics else None


def seed_pairs(row: RowInput, other: RowInput, column: Column) -> list[SeedPair]:
    """Both rows' results at every seed that both have, in the first row's order."""
    theirs = {cell.seed: (cell, record) for cell in other.cells if (record := result(cell, column)) is not None}
    found = []
    for cell in row.cells:
        record = result(cell, column)
        if record is not None and cell.seed in theirs:
            their_cell, their_record = theirs[cell.seed]
            found.append(SeedPair((cell, their_cell), (record, their_record)))
    return found


def computed_on_other_videos(pairs: list[SeedPair]) -> bool:
    """Whether any results were computed on different test videos, so that differences are meaningless."""
    return len({frozenset(record.correct) for pair in pairs for record in pair.records}) > 1


def sample_of(pairs: list[SeedPair], column: Column) -> Sample:
    """Difference of the first row to the second, over the seeds."""
    values = [[pair.records[side].metrics[column.metric] for pair in pairs] for side in (0, 1)]
    share = is_share(column, [record for pair in pairs for record in pair.records])
    return paired(values[0], values[1], DIFFERENCE if share else None)


def is_share(column: Column, records: Iterable[EvaluationRecord]) -> bool:
    """Whether a column's values are shares of right answers, 0 to 100; cosines times 100 are not."""
    return _SHARES.fullmatch(column.metric) is not None or any(one.headline == column.metric for one in records)
