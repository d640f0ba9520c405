"""Typed records of published tables, figures and networks.

In a cell, None is a value that is not in our source text, or a printed dash if the notes say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import ConfigDict

Value = str | int | float | bool | None
Provenance = Literal["paper", "paper-cross", "public", "lost"]
"""paper: printed in the cell. paper-cross: printed elsewhere in one of the papers. public: from the named source.
lost: known to be in the paper, but not in our source text."""

STRICT = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True)
class Cell:
    """One number from outside its table: what it is of, and where it is printed."""

    __pydantic_config__ = STRICT
    cell: str
    value: float | tuple[float, ...]
    provenance: Provenance
    source: str


@dataclass(frozen=True)
class Grid:
    """Columns and rows.

    Raises:
        ValueError: a column is repeated, or a row is not as long as the columns.
    """

    __pydantic_config__ = STRICT
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Value, ...], ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.columns)) != len(self.columns):
            raise ValueError(f"a column is repeated in {list(self.columns)}")
        for position, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(f"row {position} has {len(row)} values and not one for each of {list(self.columns)}")


@dataclass(frozen=True, kw_only=True)
class PublishedTable(Grid):
    """A table of a paper, or a figure (its rows, if it has any, are its series).

    Attributes:
        id: e.g. ``cvrl_t6``.
        paper: id of its paper.
        number: as the paper counts.
        figure: whether it is a figure.
        what: one line.
        kind: ``comparison`` with other methods, ``architecture``, or empty for an ablation.
        own: column to the values that mark the rows of the paper's authors, of which they trained the networks; empty:
            all rows are theirs. The others are quoted.
        varied: the factors that its rows differ in.
        fixed: what they share.
        metric: as printed.
        provenance: of all cells; None if a column of this name has it row by row, or if unknown.
        source: of cells with provenance paper-cross or public.
        notes: what a reader of the numbers must know.
        cross: numbers of the table that are printed elsewhere.
        lost_rows: rows that are not in our source text.
        known: what is known of a figure without rows.
        printed_gains_over_IC, candidate_values: as printed in the one table that has them.
    """

    id: str
    paper: str
    number: int | str
    figure: bool
    what: str
    kind: Literal["", "comparison", "architecture"] = ""
    own: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    varied: tuple[str, ...] = ()
    fixed: Mapping[str, Value] = field(default_factory=dict)
    metric: tuple[str, ...] = ()
    provenance: Provenance | None = None
    source: str = ""
    notes: tuple[str, ...] = ()
    cross: tuple[Cell, ...] = ()
    lost_rows: str = ""
    known: tuple[Mapping[str, Value], ...] = ()
    printed_gains_over_IC: Grid | None = None  # noqa: N815
    candidate_values: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        for column, values in self.own.items():
            if column not in self.columns:
                raise ValueError(f"own: there is no column {column!r}; there are {', '.join(self.columns)}")
            known = [row[self.columns.index(column)] for row in self.rows]
            if unknown := [value for value in values if value not in known]:
                raise ValueError(f"own: no row has {column} {unknown[0]!r}")

    @property
    def own_rows(self) -> tuple[int, ...]:
        """Indices of the rows that are the authors' own."""
        marked = [(self.columns.index(column), values) for column, values in self.own.items()]
        return tuple(
            position
            for position, row in enumerate(self.rows)
            if not marked or any(row[column] in values for column, values in marked)
        )

    @property
    def heading(self) -> str:
        """``Table 6: hidden layers of the projection head``."""
        return f"{'Figure' if self.figure else 'Table'} {self.number}: {self.what}"


@dataclass(frozen=True)
class TextResult:
    """A result that a paper states only in its text; ``numbers`` by name."""

    __pydantic_config__ = STRICT
    id: str
    what: str
    provenance: str
    numbers: Mapping[str, float]


@dataclass(frozen=True)
class Paper:
    """A paper with its tables and figures in its own order."""

    __pydantic_config__ = STRICT
    id: str
    title: str
    tables: tuple[PublishedTable, ...]
    figures: tuple[PublishedTable, ...]
    arxiv: str = ""
    openreview: str = ""
    text_results: tuple[TextResult, ...] = ()


@dataclass(frozen=True)
class Architecture:
    """Parameter counts of a network.

    Attributes:
        exact_trainable: weights of convolutions, affine batch norm and linear layers, computed; None where no
            known network has the published count.
        exact_with_bn_stats: with moving mean and variance of batch norm.
        published_M: as printed, in millions.
        published_counts: what the printed number counts.
        with_fc400, with_fc101: with a classifier of this many classes.
    """

    __pydantic_config__ = STRICT
    id: str
    exact_trainable: int | None = None
    exact_with_bn_stats: int | None = None
    published_M: float | None = None  # noqa: N815
    published_counts: str = ""
    head: str = ""
    with_fc400: int | None = None
    with_fc101: int | None = None
    note: str = ""
