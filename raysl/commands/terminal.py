"""Standard output of every command: plain text, shown as it is written, on any terminal and in any encoding."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

from rich.console import Console
from rich.text import Text

from raysl.errors import printable

WIDTH = 160
"""Columns of a table where output is no terminal."""

IN_ASCII = {"–": "-", "—": "-", "−": "-", "±": "+-", "→": "->", "…": "...", "×": "x", "≥": ">=", "≤": "<=", "✓": "*"}
"""What raysl itself writes, where output cannot encode it; other characters are escaped."""


class PlainConsole(Console):
    """A console whose strings, in tables too, are text and never markup or emoji codes; styles are given as arguments.

    A string is one line: control characters in it are escaped, a line's end too (`print_lines` prints several). What
    the encoding of the output lacks is replaced. Lines are not wrapped. `rich.text.Text` would go past all of that.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)
        if not self.is_terminal and "width" not in options:
            self.width = WIDTH

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(encodable(printable(text), self.encoding), **options)

    def print(self, *objects: Any, **options: Any) -> None:
        lines = all(isinstance(one, str) for one in objects)
        super().print(*objects, **{"soft_wrap": lines, **options})

    def print_lines(self, text: str) -> None:
        """A text of several lines, whose data has no line's end of its own."""
        self.print(*text.rstrip("\n").split("\n"), sep="\n")


def encodable(text: str, encoding: str) -> str:
    r"""The text in characters that the encoding has: ``->`` for an arrow, ``\u0142`` for a letter that it lacks."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        known = "".join(IN_ASCII.get(one, one) if not _has(encoding, one) else one for one in text)
        return known.encode(encoding, "backslashreplace").decode(encoding)
    return text


def _has(encoding: str, character: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def is_utf8() -> bool:
    """Whether standard output can have any character."""
    return (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "").startswith("utf")


def never_fail_to_encode() -> None:
    """Makes standard output escape what it cannot encode, whoever writes to it."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def unwritable_output() -> str | None:
    """Why standard output takes nothing more, as where the disk of a log is full; None where it does."""
    try:
        print(flush=True)  # what failed before is no longer in its buffer
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left would fail again at the exit
        return error.strerror or type(error).__name__
    return None
