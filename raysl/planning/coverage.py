"""Which tables, figures and rows of the papers the studies compute, and which are listed as not computed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from raysl.published import Match, PublishedTable, Uncovered, published_tables, uncovered


@dataclass(frozen=True)
class Entry:
    """A row of a published table, or a whole table or figure without known rows.

    Attributes:
        row: its index; None for a whole table or figure.
        own: whether the paper's authors trained it; others are quoted.
        studies: those that compute it.
        reason: why no shipped study does; empty if it is not listed.
    """

    table: PublishedTable
    row: int | None
    studies: tuple[str, ...]
    reason: str
    own: bool = True

    @property
    def title(self) -> str:
        """``tclr_t3 row 3 (VCOP, None)``, or ``tclr_f6``."""
        if self.row is None:
            return self.table.id
        return f"{self.table.id} row {self.row} ({', '.join(map(str, self.table.rows[self.row]))})"


@dataclass(frozen=True)
class Coverage:
    """All entries, in the papers' order."""

    entries: tuple[Entry, ...]

    @property
    def both(self) -> list[Entry]:
        """Entries that are computed although they are listed as not computed."""
        return [entry for entry in self.entries if entry.studies and entry.reason]

    @property
    def neither(self) -> list[Entry]:
        """Entries that are neither computed nor listed."""
        return [entry for entry in self.entries if not entry.studies and not entry.reason]


def published_coverage(matches: Iterable[tuple[str, Match]], listed: Uncovered | None = None) -> Coverage:
    """Finds the studies of every published row.

    A row is computed by the studies that match it (``published.rows``). A table or figure without recovered rows is
    computed by the studies that reproduce it, and by those that compute all own rows of the table that it draws. A
    table that has rows is not computed by a study that matches none of them.

    Args:
        matches: names of studies, with what they reproduce (`raysl.planning.study.Study.published`).
        listed: what is known not to be computed; None: the shipped list.
    """
    listed = uncovered() if listed is None else listed
    tables = {table.id: table for table in published_tables()}
    studies: dict[tuple[str, int | None], tuple[str, ...]] = {}
    for name, found in matches:
        for row in found.rows.values() if found.table.rows else (None,):
            key = (found.table.id, row)
            studies[key] = tuple(dict.fromkeys((*studies.get(key, ()), name)))
    for figure, source in listed.drawn_from.items():
        drawn = [studies.get((source, row), ()) for row in tables[source].own_rows]
        if all(drawn):
            studies[figure, None] = tuple(dict.fromkeys((*studies.get((figure, None), ()), *sum(drawn, ()))))
    entries = []
    for table in tables.values():
        for row in range(len(table.rows)) if table.rows else (None,):
            computed = studies.get((table.id, row), ())
            own = row is None or row in table.own_rows
            entries.append(Entry(table, row, computed, _reason(listed, table, row, computed, own), own))
    return Coverage(tuple(entries))


def coverage_lines(coverage: Coverage) -> list[str]:
    """Two lines that count what is computed, listed and neither, of what the authors trained, and the rest.

    A comparison is fully covered if all own rows of its authors are.
    """
    tables: dict[str, list[Entry]] = {}
    for entry in coverage.entries:
        if entry.own and entry.table.kind != "architecture":
            tables.setdefault(entry.table.id, []).append(entry)
    states = [_state(entries) for entries in tables.values()]
    rows = [_state([entry]) for entries in tables.values() for entry in entries if entry.row is not None]
    quoted = sum(not entry.own for entry in coverage.entries)
    others = {entry.table.id for entry in coverage.entries} - tables.keys()
    return [
        f"published: {states.count('covered')} of {len(states)} tables and figures covered whole and "
        f"{states.count('in part')} in part, {rows.count('covered')} of {len(rows)} rows that are their authors' own",
        f"listed as not covered, with the reason: {states.count('listed')} tables and figures, {rows.count('listed')} "
        f"rows; neither: {states.count('neither')} tables and figures, {rows.count('neither')} rows; beside them "
        f"{quoted} rows of other authors, and {len(others)} table without results",
    ]


def _reason(listed: Uncovered, table: PublishedTable, row: int | None, computed: tuple[str, ...], own: bool) -> str:
    """The rules for a kind and for other authors give way where a study computes the row: they name no row."""
    if table.id in listed.tables:
        return listed.tables[table.id]
    if row is not None and (table.id, row) in listed.rows:
        return listed.rows[table.id, row]
    return "" if computed else listed.kinds.get(table.kind, "") if own else listed.others


def _state(entries: list[Entry]) -> str:
    covered = [bool(entry.studies) for entry in entries]
    if all(covered):
        return "covered"
    if any(covered):
        return "in part"
    return "listed" if all(entry.reason for entry in entries) else "neither"
