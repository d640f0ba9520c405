"""A table as Markdown that also reads well in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from raysl.errors import printable
from raysl.planning.differences import given_lines
from raysl.reports.input import CellResult, ReportInput
from raysl.reports.published import published_section
from raysl.reports.searched import search_section
from raysl.reports.table import Difference, Entry, Table
from raysl.reports.text import HOLE, difference_text, grid, sample_text
from raysl.results import KEPT


def render_markdown(table: Table) -> str:
    """Rows x columns, what rows change, differences, footnotes, how numbers were made, published, search, cells."""
    source = table.source
    blocks = [f"# {printable(source.title.strip())}", _about(source), _results(table), *_changes(source)]
    if source.baseline is not None and len(source.rows) > 1:
        blocks += [f"## Difference to {printable(source.baseline)}", _differences(table)]
    notes = [f"- [{letter}] {printable(text)}" for letter, text in table.footnotes]
    notes += [f"- {printable(text)}" for text in source.footnotes]
    notes += [f"- {printable(f'{line.name}: {line.note}')}" for line in source.references if line.note]
    if _has_failures(source):
        notes.append(f"- {KEPT[0].upper()}{KEPT[1:]}.")
    if notes:
        blocks.append("\n".join(notes))
    blocks += [_method(table), *published_section(table), *search_section(source), "## Cells", _cells(source)]
    return "\n\n".join(blocks) + "\n"


def _has_failures(source: ReportInput) -> bool:
    cells = [cell for row in source.rows for one in row.cells for cell in one.parts or (one,)]
    records = [record for cell in cells for record in cell.evaluations.values() if record is not None]
    return any(cell.status == "failed" for cell in cells) or any(record.failure for record in records)


def _about(source: ReportInput) -> str:
    text = f"Percent; mean ± half-width of the 95 % interval over seeds (number of seeds). Scale: {source.scale}."
    if source.scale != "paper":
        text += " It reduces the cost: compare rows with one another, not with published numbers."
    return text


def _results(table: Table) -> str:
    columns = table.source.columns
    headings = [column.heading + _marks(marks) for column, marks in zip(columns, table.column_marks, strict=True)]
    lines = [[row.name + _marks(row.marks), *(_entry(entry) for entry in row.entries)] for row in table.rows]
    for reference in table.source.references:
        values = (reference.values.get(column.key) for column in columns)
        lines.append([f"*{reference.name}*", *(HOLE if value is None else f"{value:.1f}" for value in values)])
    return grid(["row", *headings], lines)


def _changes(source: ReportInput) -> list[str]:
    """What each row changes, in its values as they are resolved, and what the scale and ``--set`` changed."""
    found = source.differences
    if found is None:
        return []
    lines = []
    for name, changes in found.rows.items():
        if name != found.reference:
            listed = ", ".join(f"`{change}`" for change in changes) or "nothing"
            lines.append(f"- {printable(f'{name}: {listed}')}")
    blocks = [f"## What each row changes against {printable(str(found.reference))}", "\n".join(lines)] if lines else []
    given = [f"- {printable(line)}" for line in given_lines(found.given, source.scale, "`")]
    if given:
        blocks += ["## What the scale and `--set` changed", "\n".join(given)]
    return blocks


def _entry(entry: Entry) -> str:
    return sample_text(entry.sample) + _marks(entry.marks)


def _differences(table: Table) -> str:
    headings = [column.heading for column in table.source.columns]
    lines = [
        [row.name, *(_difference(entry.difference) for entry in row.entries)]
        for row in table.rows
        if row.name != table.source.baseline
    ]
    return grid(["row", *headings], lines)


def _difference(difference: Difference | None) -> str:
    if difference is None:
        return HOLE
    if difference.same:
        return "same results"
    sample = difference.sample
    tests = f"{_p(difference.p_seeds_adjusted)} / {_p(difference.p_videos_adjusted)}"
    return f"{difference_text(sample)} ({len(sample.values)}), p {tests}"


def _p(value: float | None) -> str:
    if value is None:
        return HOLE
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _method(table: Table) -> str:
    sentences = [
        "Intervals are 95 % t-intervals over seeds; with fewer than three seeds the values themselves are given.",
    ]
    if table.source.baseline is not None:
        sentences.append(
            "Differences are paired by seed. p: paired t-test over seeds / exact sign-flip test over test videos "
            "(answers summed over seeds; McNemar's exact test at one seed; headline metrics only), each "
            f"Holm-corrected over all differences of this table; {HOLE}: no test."
        )
    if any(cell.parts for row in table.source.rows for cell in row.cells):
        sentences.append("On folds the value at a seed is the mean over the folds, and every test video counts once.")
    sizes = [f"{label} {' or '.join(str(size) for size in sizes)}" for label, sizes in table.test_videos.items()]
    if sizes:
        sentences.append(f"Test videos: {'; '.join(sizes)}.")
    return " ".join(sentences)


def _cells(source: ReportInput) -> str:
    headings = ["row", "seed", "cell", "state", "commit", "minutes", "clips/s"]
    lines = [
        [
            row.name,
            str(cell.seed) + ("" if cell.fold is None else f", fold {cell.fold}"),
            _link(cell, source.store_link),
            cell.status,
            _commit(cell),
            _number(cell.minutes),
            _number(cell.clips_per_second),
        ]
        for row in source.rows
        for one in row.cells
        for cell in one.parts or (one,)
    ]
    return grid(headings, lines, left=5)


def _link(cell: CellResult, store: str | None) -> str:
    if not cell.cell:
        return HOLE
    if store is None or cell.commit is None:
        return cell.cell
    return f"[{cell.cell}]({store}/cells/{cell.cell}/provenance.json)"


def _commit(cell: CellResult) -> str:
    if cell.commit is None:
        return HOLE
    return cell.commit[:10] + (" with changes" if cell.dirty else "")


def _number(value: float | None) -> str:
    return HOLE if value is None else f"{value:.1f}"


def _marks(letters: Sequence[str]) -> str:
    return "".join(f" [{letter}]" for letter in letters)
