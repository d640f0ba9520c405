"""Which published results no shipped study computes, and why, read from ``uncovered.yaml``."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from raysl.config.yaml_reader import Tree, read_tree
from raysl.errors import ConfigError
from raysl.published.match import match
from raysl.published.records import STRICT, PublishedTable, Value
from raysl.published.tables import published_table

FILE = Path(__file__).parent / "uncovered.yaml"
Reason = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True)
class Uncovered:
    """Published results that no study computes.

    Attributes:
        others: the reason of all rows that are not the authors' own (`PublishedTable.own`).
    kinds: from a kind of table (``architecture``) to the reason for all of this kind.
        drawn_from: from a figure to the table whose numbers it draws: what covers the table covers the figure.
        tables: from a whole table or figure to the reason.
        rows: from table and index of a row to the reason.
    """

    kinds: Mapping[str, str]
    drawn_from: Mapping[str, str]
    tables: Mapping[str, str]
    rows: Mapping[tuple[str, int], str]
    others: str = ""


@dataclass(frozen=True)
class _Row:
    __pydantic_config__ = STRICT
    row: Mapping[str, Value]
    reason: Reason


@dataclass(frozen=True, kw_only=True)
class _File:
    __pydantic_config__ = STRICT
    schema_version: Literal[1]
    others: Reason
    kinds: Mapping[Literal["architecture"], Reason] = field(default_factory=dict)
    drawn_from: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, Reason] = field(default_factory=dict)
    rows: Mapping[str, tuple[_Row, ...]] = field(default_factory=dict)


@functools.cache
def uncovered() -> Uncovered:
    """The shipped list."""
    return read(FILE)


def read(path: Path) -> Uncovered:
    """Reads and checks a list.

    Raises:
        ConfigError: an unknown or missing key; an unknown table or figure; a row that no published row or several
            match; something that is listed twice, or that a rule for its kind or for other authors' rows lists already;
            a figure that is drawn from no rows, or that has its own rows.
    """
    tree = read_tree(path, path.name)
    try:
        # From JSON, since only there a strict model accepts a list for a tuple.
        given = TypeAdapter(_File).validate_json(json.dumps(tree.data))
    except ValidationError as error:
        problem = error.errors()[0]
        where = tuple(str(part) for part in problem["loc"])
        raise tree.error(where, f"{problem['msg']}, not {problem['input']!r}") from error
    for key, ids in (("drawn_from", given.drawn_from), ("tables", given.tables), ("rows", given.rows)):
        for table_id in ids:
            _refuse_twice(tree, given, key, table_id)
    for figure, source in given.drawn_from.items():
        if _table(tree, ("drawn_from", figure), figure).rows:
            raise tree.error(("drawn_from", figure), "has its own rows, which a study can cover")
        if not _table(tree, ("drawn_from", figure), source).rows:
            raise tree.error(("drawn_from", figure), f"{source} has no rows to draw")
    rows: dict[tuple[str, int], str] = {}
    for table_id, listed in given.rows.items():
        rows |= _positions(tree, table_id, listed)
    return Uncovered(
        {str(kind): reason for kind, reason in given.kinds.items()},
        dict(given.drawn_from),
        dict(given.tables),
        rows,
        given.others,
    )


def _refuse_twice(tree: Tree, given: _File, key: str, table_id: str) -> None:
    table = _table(tree, (key, table_id), table_id)
    if table.kind in given.kinds:
        raise tree.error((key, table_id), f"all tables of the kind {table.kind!r} are listed already")
    others = {"drawn_from": given.drawn_from, "tables": given.tables, "rows": given.rows}
    del others[key]
    for other, ids in others.items():
        if table_id in ids:
            raise tree.error((key, table_id), f"is listed under {other} too")


def _positions(tree: Tree, table_id: str, listed: tuple[_Row, ...]) -> dict[tuple[str, int], str]:
    found: dict[tuple[str, int], str] = {}
    table = _table(tree, ("rows", table_id), table_id)
    for index, item in enumerate(listed):
        at = ("rows", table_id, str(index))
        name = ", ".join(str(value) for value in item.row.values())
        try:
            position = match(table, {name: item.row}, {}).rows[name]
        except ConfigError as error:
            raise tree.error(at, str(error)) from error
        if (table_id, position) in found:
            raise tree.error(at, f"row {name!r} is listed twice")
        if position not in table.own_rows:
            raise tree.error(at, f"row {name!r} is other authors', who are listed already (others)")
        found[table_id, position] = item.reason
    return found


def _table(tree: Tree, at: tuple[str, ...], table_id: str) -> PublishedTable:
    try:
        return published_table(table_id)
    except ConfigError as error:
        raise tree.error(at, str(error)) from error
