"""Pieces of text that every Markdown table is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len

from raysl.errors import printable
from raysl.reports.statistics import Sample

HOLE = "–"


def sample_text(sample: Sample) -> str:
    """``63.8 ± 0.4 (3)``; the values themselves where there is no interval."""
    if sample.mean is None:
        return HOLE
    if sample.half_width is None:
        return f"{', '.join(f'{value:.1f}' for value in sample.values)} ({len(sample.values)})"
    return f"{sample.mean:.1f} ± {sample.half_width:.1f} ({len(sample.values)})"


def difference_text(sample: Sample) -> str:
    """``+1.2 [+0.3, +2.1]``; the values themselves where there is no interval."""
    if sample.low is None or sample.high is None:
        return ", ".join(f"{value:+.1f}" for value in sample.values)
    return f"{sample.mean:+.1f} [{sample.low:+.1f}, {sample.high:+.1f}]"


def grid(headings: Sequence[str], lines: Iterable[Sequence[str]], left: int = 1) -> str:
    """A Markdown table padded to equal widths; the first ``left`` columns are set left, numbers right."""
    rows = [[_plain(text) for text in row] for row in (headings, *lines)]
    widths = [max(3, *(cell_len(row[position]) for row in rows)) for position in range(len(headings))]
    rule = ["-" * width if position < left else "-" * (width - 1) + ":" for position, width in enumerate(widths)]
    padded = [
        [
            text + " " * (width - cell_len(text)) if position < left else " " * (width - cell_len(text)) + text
            for position, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        for row in rows
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (padded[0], rule, *padded[1:]))


def _plain(text: str) -> str:
    return printable(text.strip(" ")).replace("|", "\\|")
