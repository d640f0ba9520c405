"""The published table that a study reproduces, found when the study is loaded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field

from raysl.config.options import Options, option
from raysl.config.suggest import nearest
from raysl.config.yaml_reader import KeyPath, Tree
from raysl.errors import ConfigError
from raysl.published import Match, PublishedTable, match, published_table

Pair = Annotated[list[str], Field(min_length=2, max_length=2)]


class PublishedOptions(Options):
    """Which of the published table's rows and columns are the study's own.

    The names of rows and columns are the study's as it is written: they hold at every scale.
    """

    rows: dict[str, dict[str, Any]] = option(
        {},
        doc="from the study's row to {published column: value}, which one published row must match",
        source="per study",
    )
    columns: dict[str, str] = option(
        {},
        doc="from the study's column (linear/ucf101:top1) to the published column of its numbers",
        source="per study",
    )
    unscored: tuple[Pair, ...] = option(
        (), doc="pairs of rows whose published order is not compared", source="per study"
    )
    unscored_in: dict[str, list[Pair]] = option(
        {},
        doc="from the study's column to pairs whose published order is not compared in this column",
        source="per study",
    )


def find_match(
    document: Tree,
    reproduces: str | None,
    published: PublishedOptions | None,
    rows: Iterable[str],
    columns: Iterable[str],
) -> Match | None:
    """The match of a study, or None if it reproduces nothing.

    Args:
        document: the study, to name the line of an error.
        reproduces, published: the study's keys of these names.
        rows, columns: the study's own.

    Raises:
        ConfigError: an unknown table; a row or column that either side does not have; an ambiguous row.
    """
    if reproduces is None:
        if published is not None:
            raise document.error(("published",), "name the table with the key reproduces")
        return None
    try:
        table = published_table(reproduces)
    except ConfigError as error:
        raise document.error(("reproduces",), str(error)) from error
    if published is None:
        return Match(table, {}, {})
    for key, given, known in (
        ("rows", published.rows, list(rows)),
        ("columns", published.columns, list(columns)),
        ("unscored_in", published.unscored_in, list(published.columns)),
    ):
        for name in given:
            if name not in known:
                what = "row" if key == "rows" else "column" if key == "columns" else "matched column"
                raise document.error(("published", key, name), f"the study has no such {what}{nearest(name, known)}")
    try:
        return match(table, published.rows, published.columns, published.unscored, published.unscored_in)
    except ConfigError as error:
        raise document.misfit(_place(table, published), str(error)) from error


def _place(table: PublishedTable, published: PublishedOptions) -> KeyPath:
    """The row or the column of ``published`` that cannot be matched, each tried separately."""
    for text, name in published.columns.items():
        if not _matches(table, {}, {text: name}):
            return ("published", "columns", text)
    for row, given in published.rows.items():
        if not _matches(table, {row: given}, published.columns):
            return ("published", "rows", row)
    return ("published",)


def _matches(table: PublishedTable, rows: dict[str, dict[str, Any]], columns: dict[str, str]) -> bool:
    try:
        match(table, rows, columns)
    except ConfigError:
        return False
    return True
