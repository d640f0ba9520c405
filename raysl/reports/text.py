"""Text helpers for Markdown tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rich.cells import cell_len

from raysl.errors import printable
from raysl.reports.statistics import Sample

HOLE = "–"
_WORD = r"[^\W_]"
_ACTIVE = re.compile(
    r"[\\`*\[\]<>|~$]"  # code, emphasis, links, HTML, cells, struck-out text, formulas
    r"|&(?=#?\w)"  # an entity, perhaps
    rf"|(?<!{_WORD})_|_(?!{_WORD})"  # emphasis; within a word it is none
    r"|(?<!\S)#"  # a heading's beginning or end
    r"|^[-+=](?=\s|$)|(?<=^\d)[.)](?=\s|$)|(?<=^\d\d)[.)](?=\s|$)"  # a list within a list
)


def escaped(text: str) -> str:
    """User text (names, titles, reasons) as Markdown that shows it literally, on one line."""
    return _ACTIVE.sub(r"\\\g<0>", printable(text.strip()))


def code(text: str) -> str:
    """User text as a code span, whatever backticks it has."""
    plain = printable(text)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", plain)), default=0))
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{pad}{plain}{pad}{fence}"


def sample_text(sample: Sample) -> str:
    """``63.8 ± 0.4 (3)``; both ends of an interval that was cut; the values if there is none."""
    if sample.mean is None:
        return HOLE
    count = len(sample.values)
    if sample.all_equal:
        return f"{sample.mean:.1f} ({count}, all equal)"
    if sample.low is None or sample.high is None:
        return f"{', '.join(f'{value:.1f}' for value in sample.values)} ({count})"
    if sample.half_width is None:
        return f"{sample.mean:.1f} [{sample.low:.1f}, {sample.high:.1f}] ({count})"
    return f"{sample.mean:.1f} ± {sample.half_width:.1f} ({count})"


def difference_text(sample: Sample) -> str:
    """``+1.2 [+0.3, +2.1]``; the values themselves if there is no interval."""
    if sample.all_equal and sample.mean is not None:
        return f"{sample.mean:+.1f} (all equal)"
    if sample.low is None or sample.high is None:
        return ", ".join(f"{value:+.1f}" for value in sample.values)
    return f"{sample.mean:+.1f} [{sample.low:+.1f}, {sample.high:+.1f}]"


def marks_text(letters: Sequence[str]) -> str:
    """Letters of footnotes: `` [a] [b]``."""
    return "".join(f" [{letter}]" for letter in letters)


def p_text(value: float | None) -> str:
    if value is None:
        return HOLE
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def grid(headings: Sequence[str], lines: Iterable[Sequence[str]], left: int = 1) -> str:
    """A Markdown table padded to equal widths; the first ``left`` columns are set left, numbers right.

    Args:
        headings, lines: Markdown; user text must be `escaped`.
    """
    rows = [list(row) for row in (headings, *lines)]
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
