"""A table on the page: the first one with intervals as tips, the rest as in the Markdown report."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markupsafe import Markup

from raysl.reports.details import details_section
from raysl.reports.input import Searched
from raysl.reports.markdown import DECIDED, OPEN, about, changes_section, legend
from raysl.reports.power import effect_size
from raysl.reports.published import published_section
from raysl.reports.searched import render_trials, search_section
from raysl.reports.statistics import Sample
from raysl.reports.table import Difference, Entry, Table
from raysl.reports.text import HOLE, difference_text, p_text, sample_text
from raysl.reports.words import in_words

SCROLL = '<div class="scroll" tabindex="0" role="region" aria-label="table">'
LOWER = 1
"""By how many levels the Markdown report's headings are lower on the page."""


@dataclass(frozen=True)
class Value:
    """A cell of a sortable table.

    Attributes:
        text: what is shown.
        sort: the key to sort by; empty: last.
        tip: lines that are shown on hover and focus.
        marks: letters of footnotes.
        kind: ``decided``, ``open``, ``hole`` or empty, for its looks.
    """

    text: str
    sort: str = ""
    tip: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    kind: str = ""


@dataclass(frozen=True)
class Line:
    """A row of a sortable table; a reference line stays below the others."""

    name: str
    values: tuple[Value, ...]
    marks: tuple[str, ...] = ()
    reference: bool = False


@dataclass(frozen=True)
class Grid:
    """A sortable table; ``headings`` are of the values, with letters of footnotes."""

    headings: tuple[tuple[str, tuple[str, ...]], ...]
    lines: tuple[Line, ...]


def results_grid(table: Table) -> Grid:
    """Every metric, the headline ones first, each of these with its difference to the baseline."""
    columns = [*table.shown, *(one for one in range(len(table.source.columns)) if one not in table.shown)]
    headings: list[tuple[str, tuple[str, ...]]] = []
    for position in columns:
        headings.append((table.source.columns[position].heading, table.column_marks[position]))
        headings += [("difference", ())] if _compared(table, position) else []
    lines = []
    for row in table.rows:
        values: list[Value] = []
        for position in columns:
            entry = row.entries[position]
            values.append(_value(entry))
            if _compared(table, position):
                values.append(Value("baseline") if row.name == table.source.baseline else _difference(entry.difference))
        lines.append(Line(row.name, tuple(values), row.marks))
    lines += [_reference(table, columns, name) for name in range(len(table.source.references))]
    return Grid(tuple(headings), tuple(lines))


def _compared(table: Table, position: int) -> bool:
    return table.has_differences and position in table.shown


def _value(entry: Entry) -> Value:
    sample = entry.sample
    seeds = [f"seed {seed}: {value:.1f}" for seed, value in zip(entry.seeds, sample.values, strict=True)]
    if sample.mean is None:
        return Value(HOLE, "", entry.holes, entry.marks, "hole")
    return Value(sample_text(sample), f"{sample.mean:.6g}", (*_interval(sample), *seeds, *entry.holes), entry.marks)


def _interval(sample: Sample) -> tuple[str, ...]:
    if sample.low is None or sample.high is None:
        return ("no interval: all seeds are equal" if sample.all_equal else "no interval: fewer than three seeds",)
    return (f"95 % interval {sample.low:.1f} to {sample.high:.1f}{', cut' if sample.cut else ''}",)


def _difference(difference: Difference | None) -> Value:
    if difference is None or difference.sample.mean is None:
        return Value(HOLE, "", ("nothing to compare",), (), "hole")
    sample, videos = difference.sample, difference.videos
    if difference.same:
        return Value("same", "0", ("the same results as the baseline's",))
    size = effect_size(sample)
    tip = [f"{difference_text(sample)} points, {len(sample.values)} seeds"]
    tip += [f"over seeds: p {p_text(difference.p_adjusted)} (Holm)"] if difference.p_adjusted is not None else []
    tip += [f"effect size {size:+.2f}"] if size is not None else []
    if videos is not None:
        between = "" if videos.low is None else f", 95 % {videos.low:+.1f} to {videos.high:+.1f}"
        tip.append(f"over test videos: p {p_text(videos.p_adjusted)} (Holm){between}")
    mark, kind = (DECIDED, "decided") if difference.decided else (OPEN, "open")
    return Value(f"{sample.mean:+.1f} {mark}", f"{sample.mean:.6g}", tuple(tip), (), kind)


def _reference(table: Table, columns: Sequence[int], number: int) -> Line:
    reference = table.source.references[number]
    values: list[Value] = []
    for position in columns:
        found = reference.values.get(table.source.columns[position].key)
        values.append(Value(HOLE) if found is None else Value(f"{found:.1f}", f"{found:.6g}"))
        values += [Value("")] if _compared(table, position) else []
    return Line(reference.name, tuple(values), reference=True)


@dataclass(frozen=True)
class Texts:
    """Sections of the Markdown report as HTML; empty without content."""

    lead: Markup
    words: Markup
    changes: Markup
    details: Markup
    published: Markup
    search: Markup


def texts(table: Table) -> Texts:
    """Sections of the Markdown report, which escape user text; HTML in them would be shown as text."""
    source = table.source
    return Texts(
        lead=_html([about(source), *legend(table)]),
        words=_html([in_words(table)] if table.has_differences else []),
        changes=_html(changes_section(source)),
        details=_html(details_section(table)[1:]),
        published=_html(published_section(table)),
        search=_html(search_section(source)[1:]),
    )


def trials_grid(searched: Searched) -> Grid:
    """Every trial, as in ``trials.csv``."""
    first, *lines = csv.reader(io.StringIO(render_trials(searched)))
    headings = tuple((heading, ()) for heading in first[1:])
    return Grid(headings, tuple(Line(f"trial {one[0]}", tuple(Value(text) for text in one[1:])) for one in lines))


def _html(blocks: Sequence[str]) -> Markup:
    """Links are left out: the page has no other files."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse("\n\n".join(blocks))
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{int(token.tag[1]) + LOWER}"
        if token.children:
            token.children = [one for one in token.children if one.type not in ("link_open", "link_close")]
    text = parser.renderer.render(tokens, parser.options, {})
    return Markup(text.replace("<table>", f"{SCROLL}<table>").replace("</table>", "</table></div>"))
