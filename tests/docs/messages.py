"""What raysl says, and the messages in docs/troubleshooting.md that must be among it.

``python -m tests.docs.messages`` replaces those whose wording has changed a little by what the code says now.
"""

from __future__ import annotations

import ast
import difflib
import re
from functools import cache

from tests.docs.blocks import ROOT, blocks

PAGE = "docs/troubleshooting.md"
LEAST = 10
"""Characters of a message that are no place for something else."""


@cache
def texts() -> tuple[str, ...]:
    """Every text of raysl's source, with … for what is put into it."""
    found = []
    for file in (ROOT / "raysl").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
                found.append("".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return tuple(_plain(text) for text in found)


def _plain(text: str) -> str:
    return re.sub("…+", "…", text)


def is_said(message: str) -> bool:
    """Whether the code has a text of which the message is a part."""
    wanted = _plain(message)
    return len(wanted.replace("…", "")) >= LEAST and any(wanted in text for text in texts())


def nearest(message: str) -> str | None:
    """The text of the code that is most like a message; None where none is."""
    known = [text for text in texts() if "\n" not in text and len(text) >= LEAST]
    return next(iter(difflib.get_close_matches(_plain(message), known, n=1, cutoff=0.6)), None)


def messages(mark: str = "") -> list[str]:
    """The lines of the page's blocks of messages that this comment stands above; of those without one."""
    lines = (ROOT / PAGE).read_text(encoding="utf-8").splitlines()
    return [
        line
        for block in blocks(PAGE)
        if block.language == "text" and (re.match("<!-- .* -->", lines[block.line - 2]) or [""])[0] == mark
        for line in block.text.splitlines()
    ]


def main() -> None:
    """Brings the page up to date as far as the nearest text is near, and prints what it did."""
    page = ROOT / PAGE
    for message in messages():
        if not is_said(message):
            now = nearest(message)
            print(f"{message}\n  -> {now or 'nothing like it: look for it by hand'}")
            if now is not None:
                page.write_text(page.read_text(encoding="utf-8").replace(f"{message}\n", f"{now}\n"), encoding="utf-8")


if __name__ == "__main__":
    main()
