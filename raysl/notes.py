"""Notes: what a user should know although nothing failed, reported once, from any process.

In a process without a listener a note is logged as a warning. A process of a pool or of a loader passes its notes to
its parent with its results (`said`), and the parent reports them again, up to a listener: a run shows a note as a line.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Listener = Callable[[str], None]

_said: dict[str, None] = {}
_listeners: list[Listener] = []


def say_once(*texts: str) -> None:
    """Reports each text once per process, and once to each listener."""
    for text in texts:
        if text not in _said:
            _said[text] = None
            hear = _listeners[-1] if _listeners else logging.getLogger("raysl").warning
            hear(text)


def said() -> tuple[str, ...]:
    """The notes of this process so far: a few lines, for its parent."""
    return tuple(_said)


@contextmanager
def heard(listener: Listener) -> Iterator[None]:
    """In its body ``listener`` gets all notes, also earlier ones, which may be new to it."""
    before = dict(_said)
    _said.clear()
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
        _said.update(before)


def collect() -> None:
    """For a process that passes on its notes: they go nowhere else. Notes of its parent before a fork count as new."""
    _said.clear()
    _listeners[:] = [_ignore]


def _ignore(text: str) -> None: ...
