"""The nearest valid name, for error messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, valid: Iterable[str]) -> str:
    """`` (did you mean 'x'?)``, or the list of valid names if none is near; empty if none is valid."""
    options = sorted(set(valid))
    return suggestion(name, options) or (f" (valid: {', '.join(options)})" if options else "")


def suggestion(name: str, valid: Iterable[str]) -> str:
    """`` (did you mean 'x'?)``; empty where nothing is near (`near_name`)."""
    close = near_name(name, valid)
    return "" if close is None else f" (did you mean {close!r}?)"


def near_name(name: str, valid: Iterable[str]) -> str | None:
    """The nearest of the valid names; None where nothing is near.

    Letter case does not count, and of a path its last part alone may be what was meant: ``simclrr`` is near
    ``recipes/simclr``.
    """
    forms: dict[str, str] = {}
    for option in sorted(set(valid)):
        forms.setdefault(option.casefold(), option)
    for option in list(forms.values()):
        forms.setdefault(option.rpartition("/")[2].casefold(), option)
    close = difflib.get_close_matches(name.casefold(), list(forms), n=1, cutoff=0.6)
    return forms[close[0]] if close else None


def beginning_or_near(name: str, valid: Iterable[str]) -> str:
    """As `suggestion`, where people write beginnings: ``taco/table1`` for ``taco/table1_single_tasks``.

    What has ``name`` as its beginning is named, up to three; else the one whose beginning, to a ``_``, is nearest.
    """
    options = sorted(set(valid))
    begun = [option for option in options if name and option.startswith(name)]
    if begun:
        return f" (did you mean {' or '.join(map(repr, begun[:3]))}?)"
    whole = {option[:end]: option for option in reversed(options) for end in _ends(option)}
    close = difflib.get_close_matches(name, sorted(whole), n=1, cutoff=0.6)
    return f" (did you mean {whole[close[0]]!r}?)" if close else ""


def _ends(option: str) -> list[int]:
    return [position for position, letter in enumerate(option) if letter == "_"] + [len(option)]
