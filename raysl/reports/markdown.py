"""A table as Markdown that is also readable in a terminal: the main table first, then details, then the cells."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from raysl.planning.differences import applied_lines
from raysl.reports.details import details_section
from raysl.reports.input import CellResult, ReferenceLine, ReportInput
from raysl.reports.published import published_section
from raysl.reports.searched import search_section
from raysl.reports.table import Difference, Table, TableRow
from raysl.reports.text import HOLE, code, escaped, grid, marks_text, sample_text
from raysl.reports.words import decided_in_words, in_words
from raysl.results import KEPT

DECIDED, OPEN = "✓", "?"
"""Marks of a difference: whether the seeds decide it."""


def render_markdown(table: Table) -> str:
    """Rows x headline metrics, the same in words, footnotes, what rows change, details, published, search, cells."""
    source = table.source
    blocks = [f"# {escaped(source.title)}", about(source), results_table(table), *legend(table)]
    if table.has_differences:
        blocks += [f"## Difference to {escaped(str(source.baseline))}", in_words(table)]
    listed = [f"- {f'[{letter}] ' if letter else ''}{escaped(text)}" for letter, text in notes(table)]
    if listed:
        blocks += ["## Notes", "\n".join(listed)]
    blocks += [*changes_section(source), *details_section(table), *published_section(table), *search_section(source)]
    return "\n\n".join([*blocks, "## Cells", _cells(source)]) + "\n"


def render_summary(table: Table) -> str:
    """The summary at the end of a run: rows x headline metrics, notes on holes, a line for each decided difference."""
    source = table.source
    blocks = [f"# {escaped(source.title)}", about(source), results_table(table)]
    if table.footnotes:
        blocks.append("\n".join(f"- [{letter}] {escaped(text)}" for letter, text in table.footnotes))
    if table.has_differences:
        test = f"paired t-test over seeds, p below 0.05 after Holm's correction, number of tests: {table.family}"
        blocks.append(f"Differences to {escaped(str(source.baseline))} that hold ({DECIDED}; {test}):")
        blocks.append(decided_in_words(table) or "- none")
    return "\n\n".join(blocks)


def notes(table: Table) -> list[tuple[str, str]]:
    """Letters, if any, and texts of the notes below the table; not escaped."""
    source = table.source
    found = [*table.footnotes, *(("", text) for text in source.footnotes)]
    found += [("", f"{line.name}: {line.note}") for line in source.references if line.note]
    return [*found, ("", f"{KEPT[0].upper()}{KEPT[1:]}.")] if _has_failures(source) else found


def _has_failures(source: ReportInput) -> bool:
    cells = [cell for row in source.rows for one in row.cells for cell in one.parts or (one,)]
    records = [record for cell in cells for record in cell.evaluations.values() if record is not None]
    return any(cell.status == "failed" for cell in cells) or any(record.failure for record in records)


def about(source: ReportInput) -> str:
    """A block of Markdown that explains the numbers."""
    text = f"Percent; mean ± half-width of the 95 % interval over seeds (number of seeds). Scale: {source.scale}."
    if source.scale != "paper":
        text += " It reduces the cost: compare rows with one another, not with published numbers."
    return text


def results_table(table: Table) -> str:
    """The headline metrics, each with its difference to the baseline, and the reference lines."""
    headings = ["row"]
    for position in table.shown:
        column, marks = table.source.columns[position], table.column_marks[position]
        headings.append(escaped(column.heading) + marks_text(marks))
        headings += ["difference"] if table.has_differences else []
    lines = [[escaped(row.name) + marks_text(row.marks), *_entries(table, row)] for row in table.rows]
    lines += [[f"*{escaped(one.name)}*", *_references(table, one)] for one in table.source.references]
    return grid(headings, lines)


def _entries(table: Table, row: TableRow) -> Iterator[str]:
    for position in table.shown:
        entry = row.entries[position]
        yield sample_text(entry.sample) + marks_text(entry.marks)
        if table.has_differences:
            yield "baseline" if row.name == table.source.baseline else _marked(entry.difference)


def _references(table: Table, reference: ReferenceLine) -> Iterator[str]:
    for position in table.shown:
        value = reference.values.get(table.source.columns[position].key)
        yield HOLE if value is None else f"{value:.1f}"
        if table.has_differences:
            yield ""


def _marked(difference: Difference | None) -> str:
    """``+6.1 ✓``"""
    if difference is None or difference.sample.mean is None:
        return HOLE
    if difference.same:
        return "same"
    return f"{difference.sample.mean:+.1f} {DECIDED if difference.decided else OPEN}"


def legend(table: Table) -> list[str]:
    """A block of Markdown that explains the marks; empty without marks."""
    text = (
        f"Difference to {escaped(str(table.source.baseline))}, paired by seed: {DECIDED} decided over seeds (p of the "
        f"paired t-test below 0.05 after Holm's correction, number of tests: {table.family}), {OPEN} not decided."
    )
    said = [*([text] if table.has_differences else []), *([CUT] if _has_cut_intervals(table) else [])]
    return [" ".join(said)] if said else []


def _has_cut_intervals(table: Table) -> bool:
    entries = [entry for row in table.rows for entry in row.entries]
    differences = [entry.difference.sample for entry in entries if entry.difference is not None]
    return any(one.cut for one in [*(entry.sample for entry in entries), *differences])


CUT = (
    "A t-interval that would leave 0 to 100 % (a difference's: -100 to 100), where no mean can lie, is cut there and "
    "written with its two ends; so near a bound, and of so few seeds, it is rough."
)


def changes_section(source: ReportInput) -> list[str]:
    """What each row changes in resolved values, and what the scale and ``--set`` changed.

    Blocks of Markdown.
    """
    found = source.differences
    if found is None:
        return []
    lines = []
    for name, changes in found.rows.items():
        if name != found.reference:
            listed = ", ".join(code(str(change)) for change in changes) or "nothing"
            lines.append(f"- {escaped(name)}: {listed}")
    blocks = [f"## What each row changes against {escaped(str(found.reference))}", "\n".join(lines)] if lines else []
    given = [f"- {line}" for line in applied_lines(found.given, source.scale, code)]
    if given:
        blocks += ["## What the scale and `--set` changed", "\n".join(given)]
    return blocks


def _cells(source: ReportInput) -> str:
    headings = ["row", "seed", "cell", "state", "commit", "minutes", "clips/s"]
    listed = list[tuple[str, CellResult, CellResult]]()
    for row in source.rows:
        for cell in (part for one in row.cells for part in one.parts or (one,)):
            listed.append((row.name, cell, cell))
            listed += [(f"{row.name}: {label}", own, cell) for label, own in cell.behind]
    lines = [_cell_line(name, cell, of, source) for name, cell, of in listed]
    if any(cell.peak_memory_gib is not None for _, cell, _ in listed):  # of a GPU
        headings.append("GiB")
        lines = [[*line, _number(cell.peak_memory_gib)] for line, (_, cell, _) in zip(lines, listed, strict=True)]
    return grid(headings, lines, left=5)


def _cell_line(name: str, cell: CellResult, of: CellResult, source: ReportInput) -> list[str]:
    """One line of a cell; ``of`` is the row's cell itself, or the one with the evaluation that trains this cell."""
    return [
        escaped(name),
        str(of.seed) + ("" if of.fold is None else f", fold {of.fold}"),
        _link(cell, source.store_link),
        cell.status,
        _commit(cell),
        _number(cell.minutes),
        _number(cell.clips_per_second),
    ]


def _link(cell: CellResult, store: str | None) -> str:
    if not cell.cell:
        return HOLE
    if store is None or cell.commit is None:
        return cell.cell
    return f"[{cell.cell}]({quote(store)}/cells/{cell.cell}/provenance.json)"


def _commit(cell: CellResult) -> str:
    if cell.commit is None:
        return HOLE
    return escaped(cell.commit[:10]) + (" with changes" if cell.dirty else "")


def _number(value: float | None) -> str:
    return HOLE if value is None else f"{value:.1f}"
