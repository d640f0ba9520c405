"""The board: a small actor where running cells post their progress and the driver reads it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, cast

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raysl.notes import heard, say_once
from raysl.signals import ask_to_leave, ask_to_save
from raysl.training.progress import Progress
from raysl.work.events import CellProgress, Reading

MOST_WAITING = 100_000
"""Cell processes that can wait for the driver's requests at the same time."""

ANSWER_SECONDS = 2.0
"""Seconds that training waits for the board's answer."""

SAVE_SECONDS = 5.0
"""Seconds between two checkpoints on a node that will soon be gone."""


@dataclass
class Posted:
    """The latest report of each cell, by `Cell.key`, and of each data set that is being read, by its name.

    Attributes:
        notes: of all processes (`raysl.notes`), each once.
    """

    cells: dict[str, CellProgress] = field(default_factory=dict)
    readings: dict[str, Reading] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)

    def report_notes(self) -> None:
        """Passes the notes on in this process."""
        say_once(*self.notes)


class Board:
    """The actor's class. It also carries the driver's requests to running cells."""

    def __init__(self) -> None:
        self._posted = Posted()
        self._asked = asyncio.Condition()
        self._leave = False
        self._leaving_nodes: frozenset[str] = frozenset()
        self._with_room: frozenset[str] = frozenset()

    async def ask(self, leave: bool, nodes: frozenset[str]) -> None:
        """By the driver: all cells must save and end, or those on nodes that will soon be gone must save."""
        async with self._asked:
            self._leave, self._leaving_nodes = self._leave or leave, nodes
            self._asked.notify_all()

    async def request(self, node: str) -> bool:
        """By a process of a cell: waits for a request; True: save and end, False: save."""
        async with self._asked:
            await self._asked.wait_for(lambda: self._leave or node in self._leaving_nodes)
            return self._leave

    async def set_room(self, cells: frozenset[str]) -> None:
        """By the driver: the cells with fewer workers than they ask for that have room for more."""
        self._with_room = cells

    async def has_room(self, cell: str) -> bool:
        return cell in self._with_room

    async def post(self, cell: str, **said: Any) -> None:
        """Changes fields of the cell's `CellProgress`."""
        now = time.time()
        known = self._posted.cells.get(cell, CellProgress(now, now))
        staged = now if said.get("stage", known.stage) != known.stage else known.staged
        self._posted.cells[cell] = replace(known, changed=now, staged=staged, **said)

    async def post_reading(self, name: str, reading: Reading | None) -> None:
        """The progress of reading a data set; None when it has ended."""
        if reading is None:
            self._posted.readings.pop(name, None)
        else:
            self._posted.readings[name] = reading

    async def post_note(self, text: str) -> None:
        self._posted.notes[text] = None

    async def read(self) -> Posted:
        return self._posted


class Post:
    """One cell's connection to the board; can be pickled. Posting never waits.

    Args:
        board: handle of a `Board` actor.
        cell: its `Cell.key`.
    """

    def __init__(self, board: Any, cell: str) -> None:
        self._board = board
        self.cell = cell

    def __call__(self, **said: Any) -> None:
        self._board.post.remote(self.cell, **said)

    def notes(self) -> AbstractContextManager[None]:
        """In its body the notes of this process go to the board."""
        return notes_to(self._board)

    def listen(self) -> None:
        """Passes the driver's requests on to this process; a lost board has none."""
        name = "raysl-board"
        if all(thread.name != name for thread in threading.enumerate()):
            threading.Thread(target=self._listen, name=name, daemon=True).start()

    def _listen(self) -> None:
        node = ray.get_runtime_context().get_node_id()
        while True:
            try:
                if ray.get(self._board.request.remote(node)):
                    ask_to_leave()
                    return
                ask_to_save()
            except RayError:
                pass  # it is restarted
            time.sleep(SAVE_SECONDS)

    def has_room(self) -> bool:
        """Whether there is room for more of the cell's workers; False if the board was lost."""
        try:
            return bool(ray.get(self._board.has_room.remote(self.cell), timeout=ANSWER_SECONDS))
        except RayError:
            return False

    def stage(self, stage: str, progress: Progress | None) -> None:
        """As `raysl.work.compute.OnStage`."""
        self(stage=stage, progress=progress)


def notes_to(board: Any) -> AbstractContextManager[None]:
    """As `Post.notes`, for processes that belong to no cell; does nothing without a board."""
    return nullcontext() if board is None else heard(board.post_note.remote)


def start_board() -> Any:
    """The handle of a new board, on the driver's node, so that it is not lost with another node."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    kept = {"max_restarts": -1, "max_concurrency": MOST_WAITING, "scheduling_strategy": here}
    return cast(Any, ray.remote)(num_cpus=0, **kept)(Board).remote()


class Watch:
    """A thread of the driver that reads the board every ``interval`` seconds and passes it to ``look``.

    A lost board is skipped.
    """

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
                posted = Posted()
            posted.report_notes()
            self._look(posted)
