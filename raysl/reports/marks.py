"""Marks in Markdown that say where figures come from, so that none is typed by hand.

``<!-- from: table reports/x -->…<!-- /from -->``: the table of a report, which is written between the marks.
``<!-- from: decided reports/x -->…<!-- /from -->``: likewise a line for each difference that its seeds decide.
``<!-- from: seeds 12 -->…<!-- /from -->``: what so many seeds can show, with one test and with 12.
``<!-- from: file path -->…<!-- /from -->``: a file as it is, as code.
``<!-- from: lines path "FIRST" "LAST" -->…<!-- /from -->``: the lines of a file from the first that begins with FIRST
to the next that begins with LAST; without LAST that one line.
``<!-- from: path -->…<!-- /from -->``: text whose figures all stand in that file, as they are written.
Within code a mark is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from raysl.errors import ConfigError
from raysl.reports.markdown import results_table
from raysl.reports.power import detectable, half_width
from raysl.reports.statistics import LEVEL
from raysl.reports.table import Table
from raysl.reports.text import grid
from raysl.reports.words import decided_in_words

_CODE = r"^ *```.*?^ *```|`[^`\n]*`"
MARK = re.compile(
    rf"(?P<code>{_CODE})|<!-- from: (?P<source>[^>]*?) -->(?P<text>.*?)<!-- /from -->|(?P<open><!-- /?from)",
    re.DOTALL | re.MULTILINE,
)
_NUMBER = r"(?<![\w.,-])[+−-]?\d(?:[\d,]*\d)?(?:\.\d+)?"
_WORDS = "ms|s|min|h|kB|MB|GB|TB|TFLOP/s|clips/s|points?|milliseconds?|seconds?|minutes?|hours?|days?"
_UNIT = rf"\s?(?:%|×(?!\s?[\dA-Z])|(?:{_WORDS})(?![\w/]))"
FIGURE = re.compile(rf"{_NUMBER}{_UNIT}|(?<![\w.,-])[+−-]?\d[\d,]*\.\d+(?!\w|\.\d|-\d)")
"""A number with a unit, or with decimals."""
SEEDS = (3, 5, 10, 20)
_LINES = re.compile(r'(\S+) "([^"]+)"(?: "([^"]+)")?')


def quoted_table(table: Table) -> str:
    """The results without letters of footnotes, which stay in the report."""
    rows = tuple(
        replace(row, marks=(), entries=tuple(replace(entry, marks=()) for entry in row.entries)) for row in table.rows
    )
    return results_table(replace(table, column_marks=((),) * len(table.column_marks), rows=rows))


RENDERED: dict[str, Callable[[Table], str]] = {"table": quoted_table, "decided": decided_in_words}


def figures_in(text: str) -> list[str]:
    """Every figure of a text, in its order."""
    return [match[0] for match in FIGURE.finditer(text)]


def stands_in(figure: str, content: str) -> bool:
    """Whether a text has the figure as it is written, and not as the end or the beginning of another one."""
    return re.search(rf"(?<![\d.,]){re.escape(figure)}(?!\d|[.,]\d)", content) is not None


def fill_marks(text: str, file: str, table_of: Callable[[str], Table], content_of: Callable[[str], str]) -> str:
    """The text with what its marks ask for.

    Args:
        file: that the text is in, for messages.
        table_of: the table of a report's folder.
        content_of: what is in a file.

    Raises:
        ConfigError: a mark is not closed; a figure between marks, or a line that they ask for, is not in the file that
            they name.
    """

    def filled(match: re.Match[str]) -> str:
        if match["code"]:
            return match[0]
        if match["open"]:
            line = text.count("\n", 0, match.start()) + 1
            raise ConfigError(f"{file}:{line}: each <!-- from: ... --> has its <!-- /from -->, and this one has not")
        kind, _, path = match["source"].partition(" ")
        if path and kind in RENDERED:
            return _between(match["source"], RENDERED[kind](table_of(path)))
        if path.isdigit() and kind == "seeds":
            return _between(match["source"], what_seeds_show(int(path)))
        if path and kind == "file":
            return _between(match["source"], f"```text\n{content_of(path).rstrip()}\n```")
        if kind == "lines" and (lines := _LINES.fullmatch(path)) is not None:
            return _between(match["source"], lines_of(content_of(lines[1]), *lines.groups()))
        content = content_of(match["source"])
        absent = [figure for figure in figures_in(match["text"]) if not stands_in(figure, content)]
        if absent:
            raise ConfigError(f"{file}: {', '.join(absent)}: not in {match['source']}, which it is said to come from")
        return match[0]

    return MARK.sub(filled, text)


def lines_of(content: str, path: str, first: str, last: str | None) -> str:
    """The lines from the first that begins with ``first`` to the next that begins with ``last`` (None: that one line).

    Args:
        path: of the content, for messages.

    Raises:
        ConfigError: no line begins so.
    """
    lines = content.splitlines()
    start = next((number for number, line in enumerate(lines) if line.startswith(first)), None)
    if start is None:
        raise ConfigError(f"{path}: no line begins with {first!r}")
    end = next((number for number in range(start, len(lines)) if lines[number].startswith(last or first)), None)
    if end is None:
        raise ConfigError(f"{path}: no line from line {start + 1} on begins with {last!r}")
    return "\n".join(lines[start : end + 1])


def what_seeds_show(tests: int) -> str:
    """A Markdown table: by the number of seeds the half-width of an interval, and the smallest differences found.

    In standard deviations: of the seeds, and of the paired differences, which are found four times of five.

    Args:
        tests: of the last column, which is at Holm's first level for so many.
    """
    headings = ["seeds", "half-width, in standard deviations of the seeds"]
    headings += [f"smallest difference found, {many}" for many in ("one test", f"{tests} tests")]
    lines = [
        [
            str(seeds),
            *(
                f"{value:.1f}"
                for value in (half_width(seeds), *(detectable(1.0, seeds, LEVEL / many) for many in (1, tests)))
            ),
        ]
        for seeds in SEEDS
    ]
    return grid(headings, lines)


def _between(source: str, text: str) -> str:
    return f"<!-- from: {source} -->\n\n{text}\n\n<!-- /from -->"
