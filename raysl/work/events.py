"""What a run says while it goes on: notes, phases, and how far its cells are, with the time left."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from raysl.evaluation.evaluate import trains
from raysl.results import Found
from raysl.training.progress import Progress
from raysl.work.compute import workers_of


@dataclass
class CellProgress:
    """The latest word of one cell under work.

    Attributes:
        started, changed: seconds since 1970.
        stage: ``starting``, ``pretraining``, ``evaluating``, ``fine-tuning`` or ``ended``.
        failed: why it failed, as its result.
        error: why it ended without a result.
    """

    started: float
    changed: float
    stage: str = "starting"
    progress: Progress | None = None
    failed: str | None = None
    error: str | None = None

    @property
    def ended(self) -> bool:
        return self.stage == "ended"

    @property
    def total_seconds(self) -> float | None:
        """From start to end, measured or as its speed says; None while it has no speed."""
        spent = self.changed - self.started
        if self.ended:
            return spent
        left = None if self.progress is None else self.progress.seconds_left
        return None if left is None else spent + left


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
class Overview:
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


Event = Note | Phase | Overview | Reading
OnEvent = Callable[[Event], None]


def shown_seconds(seconds: float) -> str:
    """``45 s``, ``3 min``, ``2.5 h``"""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"


def overview(
    said: Mapping[str, CellProgress],
    tasks: Sequence[Found],
    *,
    done_before: int,
    failed_before: int,
    at_once: int,
    now: float,
    began: float,
) -> Overview:
    """Puts together what the cells said, by `Cell.key`."""
    known = {task.cell.key: said[task.cell.key] for task in tasks if task.cell.key in said}
    ended = [one for one in known.values() if one.ended]
    stopped = sum(one.error is not None for one in ended)
    failed = sum(one.failed is not None for one in ended)
    running = tuple(
        Running(task.cell.title, one.stage, now - one.started, one.progress)
        for task in tasks
        if (one := known.get(task.cell.key)) is not None and not one.ended
    )
    return Overview(
        elapsed=now - began,
        done=done_before + len(ended) - stopped - failed,
        failed=failed_before + failed,
        stopped=stopped,
        total=done_before + failed_before + len(tasks),
        running=running,
        seconds_left=seconds_left(known, tasks, at_once, now),
    )


def seconds_left(said: Mapping[str, CellProgress], tasks: Sequence[Found], at_once: int, now: float) -> float | None:
    """From how long cells of the same kind took, or will take by their own word; None while that is not known.

    Cells of one kind (trained or not, fine-tuned so often, over so many workers) count as equally long, and as many run
    beside each other as fit: good enough to decide whether to wait.
    """
    lengths: dict[tuple[bool, int, int], list[float]] = {}
    for task in tasks:
        one = said.get(task.cell.key)
        if one is not None and one.total_seconds is not None:
            lengths.setdefault(_kind(task), []).append(one.total_seconds)
    rest = 0.0
    for task in tasks:
        one = said.get(task.cell.key)
        if one is not None and one.ended:
            continue
        own = None if one is None else one.total_seconds
        alike = lengths.get(_kind(task))
        if own is None and alike is None:
            return None
        total = own if own is not None else statistics.mean(alike or [0.0])
        rest += max(0.0, total - (0.0 if one is None else now - one.started))
    return rest / max(1, at_once)


def _kind(task: Found) -> tuple[bool, int, int]:
    return task.to_train, sum(trains(one.config) for one in task.missing), workers_of(task)
