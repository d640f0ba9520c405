"""Where running cells say how far they are, and the driver reads it: a small actor."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError

from raysl.notes import heard, say_once
from raysl.training.progress import Progress
from raysl.work.events import CellProgress, Reading


@dataclass
class Posted:
    """Latest word of each cell, by `Cell.key`, and of each data set that is being read, by its name.

    Attributes:
        notes: what any process said (`raysl.notes`), each once.
    """

    cells: dict[str, CellProgress] = field(default_factory=dict)
    readings: dict[str, Reading] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)

    def say_notes(self) -> None:
        """Says them in this process."""
        say_once(*self.notes)


class Board:
    """The actor's class."""

    def __init__(self) -> None:
        self._posted = Posted()

    def post(self, cell: str, **said: Any) -> None:
        """Changes fields of the cell's `CellProgress`."""
        now = time.time()
        known = self._posted.cells.get(cell, CellProgress(now, now))
        self._posted.cells[cell] = replace(known, changed=now, **said)

    def post_reading(self, name: str, reading: Reading | None) -> None:
        """How far the reading of a data set is; None when it has ended."""
        if reading is None:
            self._posted.readings.pop(name, None)
        else:
            self._posted.readings[name] = reading

    def post_note(self, text: str) -> None:
        self._posted.notes[text] = None

    def read(self) -> Posted:
        return self._posted


class Post:
    """One cell's end of the board; can be pickled. Posting never waits.

    Args:
        board: handle of a `Board` actor.
        cell: its `Cell.key`.
    """

    def __init__(self, board: Any, cell: str) -> None:
        self._board = board
        self._cell = cell

    def __call__(self, **said: Any) -> None:
        self._board.post.remote(self._cell, **said)

    def notes(self) -> AbstractContextManager[None]:
        """Within it what this process says goes to the board."""
        return notes_to(self._board)

    def stage(self, stage: str, progress: Progress | None) -> None:
        """As `raysl.work.compute.OnStage`."""
        self(stage=stage, progress=progress)


def notes_to(board: Any) -> AbstractContextManager[None]:
    """As `Post.notes`, for what belongs to no cell; nothing changes without a board."""
    return nullcontext() if board is None else heard(board.post_note.remote)


def start_board() -> Any:
    """The handle of a new board."""
    return ray.remote(num_cpus=0)(Board).remote()


class Watch:
    """A thread of the driver that reads the board every ``interval`` seconds and hands it to ``look``."""

    def __init__(self, board: Any, look: Callable[[Posted], None], interval: float = 2.0) -> None:
        self._board, self._look, self._interval = board, look, interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="raysl-progress", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            try:
                posted: Posted = ray.get(self._board.read.remote(), timeout=10)
            except (GetTimeoutError, RayActorError):
                continue  # a busy machine; the next look shows it
            posted.say_notes()
            self._look(posted)
