"""The published tables, read from ``tables.yaml`` and checked once."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from raysl.config.suggest import nearest
from raysl.config.yaml_reader import read_tree
from raysl.errors import ConfigError
from raysl.published.records import Architecture, Paper, PublishedTable

FILE = Path(__file__).parent / "tables.yaml"
SCHEMA_VERSION = 1
TEXT_RESULT_KEYS = ("id", "what", "provenance", "values")


@dataclass(frozen=True)
class Everything:
    """The whole file."""

    papers: tuple[Paper, ...]
    architectures: tuple[Architecture, ...]


class _Named(Protocol):
    @property
    def id(self) -> str: ...


AnyNamed = TypeVar("AnyNamed", bound=_Named)


def papers() -> tuple[Paper, ...]:
    """The five papers."""
    return _everything().papers


def paper(paper_id: str) -> Paper:
    """The paper of this id (``cvrl``).

    Raises:
        ConfigError: there is none; the nearest id is suggested.
    """
    return _find("paper", paper_id, papers())


def published_tables() -> tuple[PublishedTable, ...]:
    """All tables and figures of all papers, figures without recovered rows included."""
    return tuple(table for paper in papers() for table in (*paper.tables, *paper.figures))


def published_table(table_id: str) -> PublishedTable:
    """The table or figure of this id (``cvrl_t6``, ``cvrl_f3``).

    Raises:
        ConfigError: there is none; the nearest id is suggested.
    """
    return _find("published table or figure", table_id, published_tables())


def architectures() -> tuple[Architecture, ...]:
    """Parameter counts of all networks that are known."""
    return _everything().architectures


def architecture(architecture_id: str) -> Architecture:
    """The parameter counts of one network (``cvrl_r3d50``).

    Raises:
        ConfigError: there is none; the nearest id is suggested.
    """
    return _find("architecture", architecture_id, architectures())


def read(path: Path) -> Everything:
    """Reads and checks a file of tables.

    Raises:
        ConfigError: an unknown or missing key, a row that is not as long as its columns, a repeated id.
    """
    tree = read_tree(path, path.name)
    version = tree.data.get("schema_version")
    if version != SCHEMA_VERSION:
        raise tree.error(("schema_version",), f"{SCHEMA_VERSION} is expected, not {version!r}")
    data = {
        "papers": [_paper(paper) for paper in tree.data.get("papers", [])],
        "architectures": tree.data.get("architectures", []),
    }
    try:
        # From JSON, since only there a strict model accepts a list for a tuple.
        everything = TypeAdapter(Everything).validate_json(json.dumps(data))
    except ValidationError as error:
        problem = error.errors()[0]
        where = tuple(str(part) for part in problem["loc"])
        raise tree.error(where, f"{problem['msg']}, not {problem['input']!r}") from error
    _refuse_twice(path, everything)
    return everything


@functools.cache
def _everything() -> Everything:
    return read(FILE)


def _paper(data: Mapping[str, Any]) -> dict[str, Any]:
    paper = {**data, "text_results": [_text_result(result) for result in data.get("text_results", [])]}
    for key, figure in (("tables", False), ("figures", True)):
        paper[key] = [_table(table, str(data.get("id")), figure) for table in data.get(key, [])]
    return paper


def _table(data: Mapping[str, Any], paper_id: str, figure: bool) -> dict[str, Any]:
    """Allows a figure with one ``note``, and a single metric."""
    table = {**data, "paper": paper_id, "figure": figure}
    if "note" in table:
        table["notes"] = [*table.get("notes", []), table.pop("note")]
    if isinstance(table.get("metric"), str):
        table["metric"] = [table["metric"]]
    return table


def _text_result(data: Mapping[str, Any]) -> dict[str, Any]:
    """Puts all numbers of a text result (``value``, ``change_in_...``) under ``numbers``."""
    numbers = {**data.get("values", {}), **{key: data[key] for key in data if key not in TEXT_RESULT_KEYS}}
    return {**{key: data[key] for key in TEXT_RESULT_KEYS[:3] if key in data}, "numbers": numbers}


def _refuse_twice(path: Path, everything: Everything) -> None:
    groups = [[paper.id for paper in everything.papers], [network.id for network in everything.architectures], []]
    for paper in everything.papers:
        groups[2] += [item.id for item in (*paper.tables, *paper.figures)]
        groups[2] += [item.id for item in paper.text_results]
    for names in groups:
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"{path.name}: the id {name!r} is repeated")


def _find(what: str, name: str, items: Iterable[AnyNamed]) -> AnyNamed:
    by_id = {item.id: item for item in items}
    if name not in by_id:
        raise ConfigError(f"unknown {what} {name!r}{nearest(name, by_id)}")
    return by_id[name]
