"""Matches the rows and columns of a study with those of a published table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from raysl.config.suggest import nearest
from raysl.errors import ConfigError
from raysl.published.records import PublishedTable, Value


@dataclass(frozen=True)
class Match:
    """A study's rows and columns, found in a published table.

    Attributes:
        rows: from the study's row to the index of the published one.
        columns: from the study's column (``linear/ucf101:top1``, as the study writes it) to the published one.
        unscored: pairs of the study's rows whose order is not compared.
        unscored_in: by published column, pairs whose order is not compared in this column.
    """

    table: PublishedTable
    rows: Mapping[str, int]
    columns: Mapping[str, str]
    unscored: frozenset[frozenset[str]] = frozenset()
    unscored_in: Mapping[str, frozenset[frozenset[str]]] = field(default_factory=dict)

    def is_unscored(self, one: str, two: str, published_column: str) -> bool:
        """Whether the order of two rows is not to be compared in a published column."""
        pair = frozenset((one, two))
        return pair in self.unscored or pair in self.unscored_in.get(published_column, ())


def match(
    table: PublishedTable,
    rows: Mapping[str, Mapping[str, Value]],
    columns: Mapping[str, str],
    unscored: Sequence[Sequence[str]] = (),
    unscored_in: Mapping[str, Sequence[Sequence[str]]] | None = None,
) -> Match:
    """Finds each row by published columns, all of them left of the results.

    Args:
        rows: from the study's row to ``{published column: value}``; one published row must have all of these values.
        columns: from the study's column to the published column with its numbers.
        unscored: pairs of the study's rows.
        unscored_in: one of ``columns`` to pairs that are not compared there.

    Raises:
        ConfigError: an unknown published column; a row that no published row or several match; a result that is no
            number; a pair that is not of two matched rows.
    """
    for column in columns.values():
        _known(table, column)
    results = [table.columns.index(column) for column in columns.values()]
    factors = table.columns[: min(results, default=len(table.columns))]
    found = {row: _row(table, row, given, factors) for row, given in rows.items()}
    for row, position in found.items():
        for column in columns.values():
            value = table.rows[position][table.columns.index(column)]
            if isinstance(value, str | bool):
                raise ConfigError(f"row {row!r}: column {column!r} of {table.id} holds {value!r}, which is no number")
    by_column = {columns[column]: _pairs(pairs, rows) for column, pairs in (unscored_in or {}).items()}
    return Match(table, found, dict(columns), _pairs(unscored, rows), by_column)


def _pairs(pairs: Sequence[Sequence[str]], rows: Mapping[str, object]) -> frozenset[frozenset[str]]:
    for pair in pairs:
        if len(set(pair)) != 2 or not set(pair) <= set(rows):
            raise ConfigError(f"unscored: {list(pair)} are not two of the rows that are matched: {', '.join(rows)}")
    return frozenset(frozenset(pair) for pair in pairs)


def _known(table: PublishedTable, column: str) -> None:
    if column not in table.columns:
        if not table.columns:
            raise ConfigError(f"{table.id} has no recovered columns, so nothing can be matched with it")
        raise ConfigError(f"{table.id} has no column {column!r}{nearest(column, table.columns)}")


def _row(table: PublishedTable, row: str, given: Mapping[str, Value], factors: Sequence[str]) -> int:
    if not given:
        raise ConfigError(f"row {row!r}: give the row of {table.id} that it is, by its columns {', '.join(factors)}")
    for column in given:
        _known(table, column)
        if column not in factors:
            raise ConfigError(
                f"row {row!r}: column {column!r} of {table.id} is not left of its results; rows are found by "
                f"{', '.join(factors)}"
            )
    positions = {column: table.columns.index(column) for column in given}
    found = [
        position
        for position, line in enumerate(table.rows)
        if all(_same(line[positions[column]], value) for column, value in given.items())
    ]
    if len(found) == 1:
        return found[0]
    wanted = ", ".join(f"{column} {value!r}" for column, value in given.items())
    if found:
        raise ConfigError(f"row {row!r}: {len(found)} rows of {table.id} have {wanted}; give more of its columns")
    printed = "; ".join(f"{column}: {_values(table, column)}" for column in given)
    raise ConfigError(f"row {row!r}: no row of {table.id} has {wanted}; it has {printed}")


def _same(published: Value, given: Value) -> bool:
    """Equality, except that true is not 1."""
    return isinstance(published, bool) == isinstance(given, bool) and published == given


def _values(table: PublishedTable, column: str) -> str:
    position = table.columns.index(column)
    return ", ".join(dict.fromkeys(repr(line[position]) for line in table.rows))
