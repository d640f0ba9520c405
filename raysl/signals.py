"""How a command is ended from outside: Ctrl-C, SIGTERM (a scheduler) and SIGHUP (a terminal that is closed) alike.

All of them raise `KeyboardInterrupt`, since Ray passes on no other exception, so that running work ends in order; which
signal it was is stored for the exit status. During training, the first one requests a checkpoint and an end after the
step; the second one interrupts it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_received: list[signal.Signals] = []
_leave, _save = threading.Event(), threading.Event()
_listening = 0


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Makes each of the signals an interrupt, except one that this process was started to ignore (``nohup``)."""
    _received.clear()
    _leave.clear()
    before = {number: signal.getsignal(number) for number in ENDING}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ask_to_leave() -> None:
    """Requests training in this process to save a checkpoint and to end."""
    _leave.set()


def leave_requested() -> bool:
    return _leave.is_set()


def ask_to_save() -> None:
    """Requests training in this process to save a checkpoint: this machine may soon be gone."""
    _save.set()


def save_requested() -> bool:
    """Whether it was requested since the last call."""
    asked = _save.is_set()
    _save.clear()
    return asked


@contextmanager
def saving_first() -> Iterator[None]:
    """In its body a first signal only sets `leave_requested`."""
    global _listening
    _listening += 1
    try:
        yield
    finally:
        _listening -= 1


def received() -> signal.Signals | None:
    """The first signal that came since `ended_by_signals` was entered."""
    return _received[0] if _received else None


@contextmanager
def handlers_restored() -> Iterator[None]:
    """Restores the handlers that a library replaces in its body; Ray's own print a trace of its C++ and abort."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # else it was not Python's
                signal.signal(number, handler)


def leave_ending_to_parent() -> None:
    """For a process of a pool: a terminal's signals reach all of its processes, and the parent ends this one.

    SIGTERM, which the parent sends, ends the running work in order, and then the process. Only the first one counts: a
    pool that sees one of its processes end sends another one to all others, which may be saving their checkpoints.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave_once)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _received.append(signal.Signals(number))
    if number == signal.SIGHUP:
        _drop_terminal()
    if _listening and not _leave.is_set():
        _leave.set()
        return
    raise KeyboardInterrupt


def _drop_terminal() -> None:
    """Redirects output from a terminal that is gone: writing to it would be another error."""
    for descriptor in (sys.__stdout__, sys.__stderr__):
        if descriptor is not None and descriptor.isatty():
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, descriptor.fileno())
            os.close(nothing)


def _leave_once(number: int, frame: FrameType | None) -> None:
    if _leave.is_set():
        return
    _leave.set()
    if not _listening:
        sys.exit(128 + number)
