"""What the driver tells of a run while it goes on: notes, phases, and snapshots with the time left."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError

from raysl.engine.board import Entry
from raysl.engine.cell_job import CellJob
from raysl.training.progress import Progress


@dataclass(frozen=True)
class Note:
    """One line worth keeping."""

    text: str


@dataclass(frozen=True)
class Phase:
    """A phase that begins (``seconds`` None) or has ended."""

    name: str
    seconds: float | None = None


@dataclass(frozen=True)
class Running:
    """One cell under work; ``progress`` is None before its first report."""

    title: str
    stage: str
    seconds: float
    progress: Progress | None

    def line(self) -> str:
        """``SimCLR/seed1: epoch 2/20, 35.1 clips/s, 40 s left``; ``SimCLR/seed1: fine-tuning, epoch ...``"""
        if self.stage not in ("pretraining", "fine-tuning") or self.progress is None:
            return f"{self.title}: {self.stage}, {shown_seconds(self.seconds)}"
        speed = f", {self.progress.clips_per_second:.0f} clips/s" if self.progress.clips_per_second else ""
        left = self.progress.seconds_left
        rest = "estimating" if left is None else f"{shown_seconds(left)} left"
        stage = "" if self.stage == "pretraining" else f"{self.stage}, "
        return f"{self.title}: {stage}epoch {self.progress.epoch}/{self.progress.epochs}{speed}, {rest}"


@dataclass(frozen=True)
class Snapshot:
    """All cells of a run at one moment.

    Attributes:
        done, failed, stopped, total: cells; stopped ones ended without a result. What the store held before counts.
        seconds_left: of the whole run; None while nothing tells.
    """

    elapsed: float
    done: int
    failed: int
    stopped: int
    total: int
    running: tuple[Running, ...]
    seconds_left: float | None

    def line(self) -> str:
        """``3/9 cells done, 1 running, 0 failed, estimating``"""
        left = "estimating time left" if self.seconds_left is None else f"about {shown_seconds(self.seconds_left)} left"
        stopped = f", {self.stopped} stopped" if self.stopped else ""
        return (
            f"{self.done}/{self.total} cells done, {len(self.running)} running, {self.failed} failed{stopped}, {left}"
        )


@dataclass(frozen=True)
class Reading:
    """A data set under work; ``stage`` is making or reading. Videos done, of all; zeros before it is known."""

    name: str
    stage: str
    done: int
    total: int


Event = Note | Phase | Snapshot | Reading
OnEvent = Callable[[Event], None]


def shown_seconds(seconds: float) -> str:
    """``45 s``, ``3 min``, ``2.5 h``"""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"


def snapshot(
    entries: dict[str, Entry], jobs: Sequence[CellJob], done_before: int, failed_before: int, at_once: int, now: float,
    began: float,
) -> Snapshot:  # fmt: skip
    """Puts together what the cells said."""
    said = {job.id: entries[job.id] for job in jobs if job.id in entries}
    ended = {id for id, entry in said.items() if entry.get("stage") == "ended"}
    stopped = {id for id in ended if said[id].get("error")}
    failed = {id for id in ended if said[id].get("failed")}
    running = tuple(
        Running(job.title, str(said[job.id].get("stage")), now - said[job.id]["started"], said[job.id].get("progress"))
        for job in jobs
        if job.id in said and job.id not in ended
    )
    return Snapshot(
        elapsed=now - began,
        done=done_before + len(ended - stopped - failed),
        failed=failed_before + len(failed),
        stopped=len(stopped),
        total=done_before + failed_before + len(jobs),
        running=running,
        seconds_left=seconds_left(said, jobs, at_once, now),
    )


def seconds_left(said: dict[str, Entry], jobs: Sequence[CellJob], at_once: int, now: float) -> float | None:
    """From how long cells of the same kind took, or will take by their own word; None while that is not known.

    Cells of one kind (trained or not, fine-tuned so often, over so many workers) count as equally long, and as many run
    beside each other as fit: good enough to decide whether to wait.
    """
    known: dict[tuple[bool, int, int], list[float]] = {}
    for job in jobs:
        total = _total_seconds(said.get(job.id), now)
        if total is not None:
            known.setdefault(_kind(job), []).append(total)
    rest = 0.0
    for job in jobs:
        entry = said.get(job.id)
        if entry is not None and entry.get("stage") == "ended":
            continue
        own = _total_seconds(entry, now)
        alike = known.get(_kind(job))
        if own is None and alike is None:
            return None
        total = own if own is not None else statistics.mean(alike or [0.0])
        rest += max(0.0, total - (now - entry["started"] if entry else 0.0))
    return rest / max(1, at_once)


def _kind(job: CellJob) -> tuple[bool, int, int]:
    return job.pretrains, job.fine_tunings, job.workers


def _total_seconds(entry: Entry | None, now: float) -> float | None:
    """From start to end, measured or as its speed says; None while it has no speed."""
    if entry is None:
        return None
    if entry.get("stage") == "ended":
        return float(entry["changed"] - entry["started"])
    progress: Progress | None = entry.get("progress")
    if progress is None or progress.seconds_left is None:
        return None
    return float(entry["changed"] - entry["started"]) + progress.seconds_left


class Watch:
    """A thread of the driver that reads the board every ``interval`` seconds and hands on what ``tell`` makes of it."""

    def __init__(self, board: Any, tell: Callable[[dict[str, Entry]], None], interval: float = 2.0) -> None:
        self._board, self._tell, self._interval = board, tell, interval
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
                entries = ray.get(self._board.read.remote(), timeout=10)
            except (GetTimeoutError, RayActorError):
                continue  # a busy machine; the next look shows it
            self._tell(entries)


def now() -> float:
    """Seconds since 1970, as entries of the board have them."""
    return time.time()
