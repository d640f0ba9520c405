"""What a user should know though nothing failed, said once, from whatever process it arises in.

In a process that nobody listens to it is logged as a warning. A process of a pool or of a loader hands what it said to
its parent with its results (`said`), and the parent says it again, until somebody listens: a run shows it as a line.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Listener = Callable[[str], None]

_said: dict[str, None] = {}
_listeners: list[Listener] = []


def say_once(*texts: str) -> None:
    """Each text once a process, and once to each listener."""
    for text in texts:
        if text not in _said:
            _said[text] = None
            hear = _listeners[-1] if _listeners else logging.getLogger("raysl").warning
            hear(text)


def said() -> tuple[str, ...]:
    """What this process said so far: a few lines, for its parent."""
    return tuple(_said)


@contextmanager
def heard(listener: Listener) -> Iterator[None]:
    """Within it ``listener`` is given what is said, from the start: what was said before may be new to it."""
    before = dict(_said)
    _said.clear()
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
        _said.update(before)


def collect() -> None:
    """For a process that hands over what it says: nobody else is told. What its parent said before a fork is new."""
    _said.clear()
    _listeners[:] = [_ignore]


def _ignore(text: str) -> None: ...
