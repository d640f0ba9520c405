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
"""Columns of a table if output is no terminal."""

IN_ASCII = {"–": "-", "—": "-", "−": "-", "±": "+-", "→": "->", "…": "...", "×": "x", "≥": ">=", "≤": "<=", "✓": "*"}
"""Replacements for raysl's own characters if output cannot encode them; others are escaped."""


class PlainConsole(Console):
    """A console whose strings, in tables too, are text and never markup or emoji codes; styles are given as arguments.

    A string is one line: control characters in it are escaped, including line ends (`print_lines` prints several).
    Characters that the output's encoding lacks are replaced. Lines are not wrapped. `rich.text.Text` would bypass this.
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
        """Prints a text of several lines; the data in it must have no line ends."""
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
    """Makes standard output escape characters that it cannot encode, whatever writes to it."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def unwritable_output() -> str | None:
    """Why standard output cannot be written, for instance on a full disk; None if it can."""
    try:
        print(flush=True)  # what failed before is no longer in its buffer
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left would fail again at the exit
        return error.strerror or type(error).__name__
    return None
