"""Marks in Markdown that say where figures come from, so that none is typed by hand.

``<!-- from: table reports/x -->…<!-- /from -->``: the table of a report, which is written between the marks.
``<!-- from: decided reports/x -->…<!-- /from -->``: likewise a line for each difference that its seeds decide.
``<!-- from: path/of/a/file -->…<!-- /from -->``: text whose figures all stand in that file, as they are written.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from raysl.errors import ConfigError
from raysl.reports.markdown import results_table
from raysl.reports.table import Table
from raysl.reports.words import decided_in_words

MARK = re.compile(r"<!-- from: (?P<source>[^>]*?) -->(?P<text>.*?)<!-- /from -->", re.DOTALL)
_NUMBER = r"(?<![\w.,-])[+−-]?\d(?:[\d,]*\d)?(?:\.\d+)?"
_WORDS = "ms|s|min|h|kB|MB|GB|TB|TFLOP/s|clips/s|points?|milliseconds?|seconds?|minutes?|hours?|days?"
_UNIT = rf"\s?(?:%|×|(?:{_WORDS})(?![\w/]))"
FIGURE = re.compile(rf"{_NUMBER}{_UNIT}|(?<![\w.,-])[+−-]?\d[\d,]*\.\d+(?![\w.]|-\d)")
"""A number with a unit, or with decimals."""
RENDERED: dict[str, Callable[[Table], str]] = {"table": results_table, "decided": decided_in_words}


def figures_in(text: str) -> list[str]:
    """Every figure of a text, in its order."""
    return [match[0] for match in FIGURE.finditer(text)]


def fill_marks(text: str, file: str, table_of: Callable[[str], Table], content_of: Callable[[str], str]) -> str:
    """The text with what its marks ask for.

    Args:
        file: that the text is in, for messages.
        table_of: the table of a report's folder.
        content_of: what is in a file.

    Raises:
        ConfigError: a mark is not closed, or a figure between marks is not in the file that they name.
    """
    opened, closed = text.count("<!-- from: "), text.count("<!-- /from -->")
    if opened != closed or len(MARK.findall(text)) != opened:
        raise ConfigError(f"{file}: {opened} marks <!-- from: … -->, and {closed} <!-- /from -->; each has its own")

    def filled(match: re.Match[str]) -> str:
        kind, _, path = match["source"].partition(" ")
        if path and kind in RENDERED:
            return f"<!-- from: {match['source']} -->\n\n{RENDERED[kind](table_of(path))}\n\n<!-- /from -->"
        absent = [figure for figure in figures_in(match["text"]) if figure not in content_of(match["source"])]
        if absent:
            raise ConfigError(f"{file}: {', '.join(absent)}: not in {match['source']}, which it is said to come from")
        return match[0]

    return MARK.sub(filled, text)
