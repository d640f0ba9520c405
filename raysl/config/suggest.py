"""The nearest valid name, for error messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, valid: Iterable[str]) -> str:
    """`` (did you mean 'x'?)``, or the list of valid names if none is near; empty if none is valid."""
    options = sorted(set(valid))
    return suggestion(name, options) or (f" (valid: {', '.join(options)})" if options else "")


def suggestion(name: str, valid: Iterable[str]) -> str:
    """`` (did you mean 'x'?)``; empty if no name is near."""
    close = difflib.get_close_matches(name, sorted(set(valid)), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""
