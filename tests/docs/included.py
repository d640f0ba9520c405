"""Lines that a document takes from another file, so that no example is typed.

``<!-- include FILE "FIRST" "LAST" -->`` stands before them and ``<!-- /include -->`` behind: the lines of FILE from the
first that begins with FIRST to the next that begins with LAST (without LAST that one line).
``python -m tests.docs.included`` brings all documents up to date.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.blocks import ROOT, pages

INCLUDE = re.compile(r'(<!-- include (\S+) "([^"]+)"(?: "([^"]+)")? -->\n)(.*?)(<!-- /include -->)', re.DOTALL)


def taken(file: str, first: str, last: str | None) -> str:
    """The lines of a file of the repository.

    Raises:
        AssertionError: no line begins so.
    """
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    start = next((number for number, line in enumerate(lines) if line.startswith(first)), None)
    assert start is not None, f"{file}: no line begins with {first!r}"
    end = next((number for number in range(start, len(lines)) if lines[number].startswith(last or first)), None)
    assert end is not None, f"{file}: no line from line {start + 1} on begins with {last!r}"
    return "\n".join(lines[start : end + 1])


def with_included(text: str) -> str:
    """A document with what it includes as it is now."""
    return INCLUDE.sub(lambda found: f"{found[1]}\n{taken(found[2], found[3], found[4])}\n\n{found[6]}", text)


def main() -> None:
    """Writes all documents."""
    for page in pages():
        path = Path(ROOT / page)
        path.write_text(with_included(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
