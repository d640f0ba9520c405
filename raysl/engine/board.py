"""Where running cells say how far they are, and the driver reads it: a small actor of its own."""

from __future__ import annotations

import time
from typing import Any

import ray

from raysl.training.progress import Progress

Entry = dict[str, Any]


class Board:
    """Latest word of each cell, by its id.

    An entry holds ``stage`` (``starting``, ``pretraining``, ``evaluating``, ``fine-tuning``, ``ended``), ``started``
    and ``changed`` (seconds since 1970), and, once known, ``progress`` (a `Progress`), ``failed`` and ``error``.
    """

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def post(self, cell: str, said: Entry) -> None:
        now = time.time()
        entry = self._entries.setdefault(cell, {"started": now})
        entry.update(said, changed=now)

    def read(self) -> dict[str, Entry]:
        return self._entries


class Post:
    """One cell's end of the board; can be pickled. Posting never waits.

    Args:
        board: handle of a `Board` actor.
    """

    def __init__(self, board: Any, cell: str) -> None:
        self._board = board
        self._cell = cell

    def __call__(self, **said: Any) -> None:
        self._board.post.remote(self._cell, said)

    def progress(self, progress: Progress, stage: str = "pretraining") -> None:
        self(stage=stage, progress=progress)


def start_board() -> Any:
    """The handle of a new board."""
    return ray.remote(num_cpus=0)(Board).remote()
