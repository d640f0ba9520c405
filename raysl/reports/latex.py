"""A table as LaTeX to paste into a paper: like the report's first table, with published numbers next to ours.

It needs only the package booktabs, and is pure ASCII (`raysl.reports.tex.tex`), so that pdfLaTeX, XeLaTeX and LuaLaTeX
give the same result.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from raysl.reports.input import Column, Published, ReferenceLine
from raysl.reports.pairs import is_share, result
from raysl.reports.published import title_of
from raysl.reports.statistics import LEAST_SEEDS
from raysl.reports.table import Difference, Entry, Table, TableRow
from raysl.reports.tex import tex

HOLE = "--"
HEAD = """% Made by raysl from its stored results. Needs \\usepackage{booktabs}.
% Characters that pdfLaTeX has no glyph for are written as their Unicode numbers: [U+0645].
"""


@dataclass(frozen=True)
class Group:
    """The columns that belong to one metric.

    Attributes:
        position: of the column in the table.
        heads: of its columns: measured, published, difference, as far as they exist.
        best: rows that are bold.
    """

    position: int
    column: Column
    heads: tuple[str, ...]
    best: frozenset[str]


def render_latex(table: Table) -> str:
    """A ``table`` environment with caption, label, rows and the notes of its holes."""
    groups, seeds = _groups(table), _seeds(table)
    count = sum(len(group.heads) for group in groups)
    rows = [_line([tex(row.name) + _marks(row.marks), *_cells(table, groups, row, seeds)]) for row in table.rows]
    references = [_line([rf"\textit{{{tex(one.name)}}}", *_reference(groups, one)]) for one in table.source.references]
    notes = [rf"\textsuperscript{{{letter}}}~{tex(text)}." for letter, text in table.footnotes]
    notes += [f"{tex(one.name)}: {tex(one.note)}." for one in table.source.references if one.note]
    notes += [tex(text) for text in table.source.footnotes]
    lines = [
        HEAD.rstrip(),
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_caption(table, groups, seeds)}}}",
        rf"\label{{tab:{_label(table.source.title)}}}",
        rf"\begin{{tabular}}{{l{'r' * count}}}",
        r"\toprule",
        *_headings(table, groups),
        r"\midrule",
        *rows,
        *([r"\midrule", *references] if references else []),
        r"\bottomrule",
        r"\end{tabular}",
        *([r"\par\smallskip", rf"\parbox{{\linewidth}}{{\footnotesize {' '.join(notes)}}}"] if notes else []),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _groups(table: Table) -> list[Group]:
    found = []
    for position in table.shown:
        column = table.source.columns[position]
        published = table.source.published
        beside = published is not None and any(published.number(row.name, column) is not None for row in table.rows)
        heads = ["measured", *(["published"] if beside else []), *(["difference"] if table.has_differences else [])]
        found.append(Group(position, column, tuple(heads), frozenset(best_rows(table, position))))
    return found


def _headings(table: Table, groups: list[Group]) -> list[str]:
    """The metrics; below them, if one has several columns, the heads of these."""
    if all(len(group.heads) == 1 for group in groups):
        names = [tex(group.column.heading) + _marks(table.column_marks[group.position]) for group in groups]
        return [_line(["", *names])]
    over, rules, first = [""], [], 2
    for group in groups:
        name = tex(group.column.heading) + _marks(table.column_marks[group.position])
        over.append(rf"\multicolumn{{{len(group.heads)}}}{{c}}{{{name}}}")
        rules.append(rf"\cmidrule(lr){{{first}-{first + len(group.heads) - 1}}}")
        first += len(group.heads)
    return [_line(over), " ".join(rules), _line(["", *(head for group in groups for head in group.heads)])]


def _cells(table: Table, groups: list[Group], row: TableRow, seeds: int | None) -> Iterator[str]:
    for group in groups:
        entry = row.entries[group.position]
        for head in group.heads:
            if head == "measured":
                yield _measured(entry, row.name in group.best, seeds) + _marks(entry.marks)
            elif head == "published":
                yield _published(table.source.published, row.name, group.column)
            else:
                yield "baseline" if row.name == table.source.baseline else _difference(entry.difference)


def best_rows(table: Table, position: int) -> set[str]:
    """The rows with the highest mean of a column, if the table's own test decides that they are the best.

    For a row, its difference to the baseline must be decided; for the baseline, that of every other row. For numbers
    that are no shares of right answers, it is unknown whether more is better.
    """
    means = {row.name: row.entries[position].sample.mean for row in table.rows}
    known = [mean for mean in means.values() if mean is not None]
    column = table.source.columns[position]
    records = [found for row in table.source.rows for cell in row.cells if (found := result(cell, column)) is not None]
    if not known or not table.has_differences or not is_share(column, records):
        return set()
    highest = max(known)
    best = {name for name, mean in means.items() if mean == highest}
    decided = {row.name for row in table.rows if (one := row.entries[position].difference) is not None and one.decided}
    if table.source.baseline in best:
        return best if decided == set(means) - best else set()
    return best if best <= decided else set()


def _measured(entry: Entry, best: bool, seeds: int | None) -> str:
    sample = entry.sample
    if sample.mean is None:
        return HOLE
    mean = rf"\mathbf{{{sample.mean:.1f}}}" if best else f"{sample.mean:.1f}"
    if sample.all_equal:
        text = f"${mean}$ (all equal)"
    elif len(sample.values) < LEAST_SEEDS:
        text = f"${', '.join(f'{value:.1f}' for value in sample.values)}$"
    elif sample.half_width is None:
        text = rf"${mean}\ [{sample.low:.1f}, {sample.high:.1f}]$"
    else:
        text = rf"${mean} \pm {sample.half_width:.1f}$"
    return text if seeds is not None else f"{text} ({len(sample.values)})"


def _difference(difference: Difference | None) -> str:
    if difference is None or difference.sample.mean is None:
        return HOLE
    if difference.same:
        return "same"
    return f"${difference.sample.mean:+.1f}{'^{*}' if difference.decided else ''}$"


def _published(published: Published | None, row: str, column: Column) -> str:
    number = None if published is None else published.number(row, column)
    return HOLE if number is None else f"${number:g}$"


def _reference(groups: list[Group], reference: ReferenceLine) -> Iterator[str]:
    for group in groups:
        value = reference.values.get(group.column.key)
        for head in group.heads:
            yield "" if head != "measured" else HOLE if value is None else f"${value:.1f}$"


def _seeds(table: Table) -> int | None:
    """The number of seeds, if it is the same for every entry that has any."""
    counts = {len(row.entries[position].sample.values) for row in table.rows for position in table.shown} - {0}
    return counts.pop() if len(counts) == 1 else None


def _caption(table: Table, groups: list[Group], seeds: int | None) -> str:
    """What is shown, n, scale, test and its correction, and what bold means."""
    source = table.source
    over = f"$n = {seeds}$ seeds" if seeds is not None else "seeds (their number $n$ in brackets)"
    said = [tex(source.title.strip()) + "."]
    said.append(rf"Percent; mean $\pm$ half-width of the 95\,\% $t$-interval over {over}.")
    said.append(f"Scale: {tex(source.scale)}" + ("." if source.scale == "paper" else ", which reduces the cost."))
    if table.has_differences:
        said.append(
            f"Differences to {tex(str(source.baseline))} are paired by seed; $^{{*}}$ marks those that are decided: "
            f"paired $t$-test, two-sided, $p < 0.05$ after Holm's correction (number of tests: {table.family})."
        )
    if any(group.best for group in groups):
        said.append("Bold: the highest mean, where these differences are decided.")
    if (published := source.published) is not None and any("published" in group.heads for group in groups):
        beside = "" if source.scale == "paper" else " (of full scale: compare the order of rows, not numbers)"
        said.append(f"Published: {tex(title_of(published.table))}{beside}.")
    sets = [f"{tex(label)}: {_test_set(table, label)}" for label in table.test_videos]
    said += [f"Test clips: {'; '.join(sets)}."] if sets else []
    return " ".join(said)


def _test_set(table: Table, label: str) -> str:
    """``193 of 35 recordings``"""
    found = zip(table.test_videos[label], table.recordings[label], strict=True)
    return " or ".join(f"{clips}" + ("" if known is None else f" of {known} recordings") for clips, known in found)


def _marks(letters: tuple[str, ...]) -> str:
    return rf"\textsuperscript{{{','.join(letters)}}}" if letters else ""


def _line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _label(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "raysl"
