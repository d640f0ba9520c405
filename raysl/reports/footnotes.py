"""Lettered footnotes: holes with their reasons, and videos that were left out."""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence

from raysl.reports.input import CellResult, Column, EvaluationRecord, ReportInput, RowInput


class Footnotes:
    """Texts with letters in the order of their first appearance; the same text has one letter."""

    def __init__(self) -> None:
        self._letters: dict[str, str] = {}

    def letter(self, text: str) -> str:
        return self._letters.setdefault(text, _letter(len(self._letters)))

    def lines(self) -> tuple[tuple[str, str], ...]:
        """Letter and text, in order."""
        return tuple((letter, text) for text, letter in self._letters.items())


def _letter(position: int) -> str:
    """a, b, ..., z, aa, ab, ..."""
    first, second = divmod(position, 26)
    return ("" if first == 0 else _letter(first - 1)) + string.ascii_lowercase[second]


def seeds_text(seeds: Sequence[int]) -> str:
    """``seed 0``, ``seeds 0, 2``."""
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(str(seed) for seed in seeds)}"


def note_holes(
    notes: Footnotes, row: RowInput, column: Column, empty: Sequence[CellResult]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Reasons why cells have no value in a column, equal ones together: texts and letters."""
    seeds: dict[str, list[int]] = {}
    for cell in empty:
        seeds.setdefault(_reason(cell, column), []).append(cell.seed)
    texts = tuple(f"{seeds_text(which)}: {reason}" for reason, which in seeds.items())
    return texts, tuple(notes.letter(f"{row.name}, {text}") for text in texts)


def _reason(cell: CellResult, column: Column) -> str:
    if cell.status != "done":
        return f"{cell.status}: {cell.reason}" if cell.reason else cell.status
    record = cell.evaluations.get(column.evaluation)
    if record is None:
        reason = cell.waiting.get(column.evaluation)
        return f"{column.evaluation} not evaluated yet" + (f": {reason}" if reason else "")
    if record.failure:
        return f"{column.evaluation} failed: {record.failure}"
    return f"{column.evaluation} has no metric {column.metric}"


def training_notes(notes: Footnotes, row: RowInput) -> tuple[str, ...]:
    """Letters for videos that a row was not trained on, equal counts together, and for what collapsed."""
    counted = (
        ([cell.unreadable for cell in row.cells], "unreadable training video(s) left out or replaced"),
        ([cell.missing for cell in row.cells], "video(s) of the training set's lists have no file"),
        (
            [cell.too_short for cell in row.cells],
            "training video(s) shorter than a clip or window, continued past the end",
        ),
        ([cell.left_out for cell in row.cells], "readable training video(s) not trained on: too short, or no label"),
    )
    letters = []
    for counts, what in counted:
        for count in sorted(set(counts) - {0}):
            seeds = seeds_text([cell.seed for cell, own in zip(row.cells, counts, strict=True) if own == count])
            letters.append(notes.letter(f"{row.name}, {seeds}: {count} {what}"))
    collapsed = [cell for cell in row.cells if cell.collapsed]
    if collapsed:
        seeds = seeds_text([cell.seed for cell in collapsed])
        each = "; ".join(dict.fromkeys(cell.collapsed for cell in collapsed))
        letters.append(notes.letter(f"{row.name}, {seeds}: the representation had {each}"))
    return tuple(letters)


def column_notes(notes: Footnotes, source: ReportInput, column: Column) -> tuple[str, ...]:
    """Letters for what the evaluations of a column left out, and for linear classifiers that were not fitted as meant.

    Cells of which the same is said share a letter.
    """
    where: dict[str, list[str]] = {}
    total = 0
    for row in source.rows:
        for cell in row.cells:
            record = cell.evaluations.get(column.evaluation)
            if cell.status != "done" or record is None or record.failure:
                continue
            total += 1
            for text in _said_of(record):
                where.setdefault(text, []).append(f"{row.name} seed {cell.seed}")
    return tuple(
        notes.letter(
            f"{column.evaluation}: {text}" + (" (every cell)" if len(cells) == total else f" ({', '.join(cells)})")
        )
        for text, cells in where.items()
    )


def _said_of(record: EvaluationRecord) -> Iterator[str]:
    counts = ", ".join(f"{count} {what}" for what, count in sorted(record.left_out.items()) if count)
    if counts:
        yield f"videos left out: {counts}"
    if record.details.get("c_at_edge_of_grid"):
        yield "the penalty c that cross-validation chose is an end of its grid; a wider grid may give another accuracy"
    if record.details.get("converged") is False:
        yield "the classifier was not solved within its steps; give it more (option iterations)"
