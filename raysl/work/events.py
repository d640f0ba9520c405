"""Events of a run: notes, phases, and the progress of its cells.

Imports little: the actor that collects reports of cells imports it, and computes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from raysl.training.progress import Progress, shown_memory


@dataclass
class CellProgress:
    """The latest report of a running cell.

    Attributes:
        started, changed: seconds since 1970.
        stage: ``starting``, ``pretraining``, ``evaluating``, ``fine-tuning``, ``waiting`` (to be resumed) or
            ``ended``.
        failed: why it failed, as its result.
        error: why it ended without a result.
        staged: when its stage began, in seconds since 1970; None: with the cell.
    """

    started: float
    changed: float
    stage: str = "starting"
    progress: Progress | None = None
    failed: str | None = None
    error: str | None = None
    staged: float | None = None

    @property
    def ended(self) -> bool:
        return self.stage == "ended"

    @property
    def total_seconds(self) -> float | None:
        """Seconds from start to end, measured or estimated from its speed; None while it has no speed."""
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
    """A running cell.

    Attributes:
        seconds: since its stage began.
        progress: None before its first report.
    """

    title: str
    stage: str
    seconds: float
    progress: Progress | None

    def line(self) -> str:
        """``SimCLR/seed1: epoch 2/20, 35.1 clips/s, 40 s left``; ``SimCLR/seed1: fine-tuning, epoch ...``"""
        if self.stage not in ("pretraining", "fine-tuning") or self.progress is None:
            return f"{self.title}: {self.stage}, {shown_seconds(self.seconds)}"
        speed = (
            f", {self.progress.clips_per_second:.0f} clips/s{self.progress.waits}"
            if self.progress.clips_per_second
            else ""
        )
        left = self.progress.seconds_left
        rest = "estimating" if left is None else f"{shown_seconds(left)} left"
        looked = "" if self.progress.monitored is None else f", {self.progress.monitored.text()}"
        stage = "" if self.stage == "pretraining" else f"{self.stage}, "
        epochs, memory = f"{self.progress.epoch}/{self.progress.epochs}", shown_memory(self.progress.peak_memory_gib)
        return f"{self.title}: {stage}epoch {epochs}{speed}{memory}, {rest}{looked}"


@dataclass(frozen=True)
class Overview:
    """All cells of a run at one moment.

    Attributes:
        done, failed, stopped, total: cells; stopped ones ended without a result. What the store held before counts.
        seconds_left: of the whole run; None while unknown.
        waiting: what cells wait for; empty if they wait for no nodes.
    """

    elapsed: float
    done: int
    failed: int
    stopped: int
    total: int
    running: tuple[Running, ...]
    seconds_left: float | None
    waiting: str = ""

    def line(self) -> str:
        """``3/9 cells done, 1 running, 0 failed, estimating``"""
        left = "estimating time left" if self.seconds_left is None else f"about {shown_seconds(self.seconds_left)} left"
        stopped = f", {self.stopped} stopped" if self.stopped else ""
        return (
            f"{self.done}/{self.total} cells done, {len(self.running)} running, {self.failed} failed{stopped}, {left}"
            + (f"; {self.waiting}" if self.waiting else "")
        )


@dataclass(frozen=True)
class Reading:
    """A data set in preparation; ``stage`` is making or reading. Videos done, of all; zeros while unknown."""

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
