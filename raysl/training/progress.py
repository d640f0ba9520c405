"""Progress and speed of a run: for display, and as totals that survive restarts."""

from __future__ import annotations

import time
from dataclasses import dataclass

from raysl.training.monitored import Monitored

SHOWN_WAIT = 0.05
"""Share of the time from which on waiting for clips is shown."""


@dataclass(frozen=True)
class Progress:
    """The progress of a run, the same on every rank except for the speed.

    Attributes:
        epoch: the current epoch, from 1, of ``epochs`` (the last may be partial if the length is given in steps).
        step: steps done, of ``steps``.
        clips_per_second: over all ranks, in this attempt, without its first step. 0.0 before that.
        loss: of the last step, mean over the global batch.
        seconds_left: at this speed; None before it is known.
        data_wait_share: of the time of this attempt's steps, without the first, in which ranks waited for batches.
        monitored: the last measurement of the backbone; None before the first.
        peak_memory_gib: of the GPU's tensors on rank 0, GiB, in this attempt; None on the CPU.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    clips_per_second: float
    loss: float
    seconds_left: float | None
    data_wait_share: float = 0.0
    monitored: Monitored | None = None
    peak_memory_gib: float | None = None

    @property
    def waits(self) -> str:
        """``, 31% of the time waiting for clips``; empty if it is little."""
        return (
            f", {self.data_wait_share:.0%} of the time waiting for clips" if self.data_wait_share >= SHOWN_WAIT else ""
        )

    def line(self) -> str:
        """One line for a terminal."""
        left = "" if self.seconds_left is None else f", {self.seconds_left:.0f} s left"
        looked = "" if self.monitored is None else f", {self.monitored.text()}"
        return (
            f"epoch {self.epoch}/{self.epochs}, step {self.step}/{self.steps}, loss {self.loss:.4f}, "
            f"{self.clips_per_second:.1f} clips/s{shown_memory(self.peak_memory_gib)}{self.waits}{left}{looked}"
        )


def shown_memory(gib: float | None) -> str:
    """``, 12.3 GiB of GPU memory``, or nothing where none was measured."""
    return "" if gib is None else f", {gib:.1f} GiB of GPU memory"


class Pace:
    """Speed of this attempt; its first step is warm-up (imports, autotuning, a cold cache) and left out.

    Args:
        clips: of one step, all views and ranks.
        seconds_before, clips_before: what earlier attempts measured.
    """

    def __init__(self, clips: int, seconds_before: float = 0.0, clips_before: int = 0) -> None:
        self._clips = clips
        self._steps = -1
        self._seconds = self._waited = 0.0
        self._before = (seconds_before, clips_before)
        self._started = time.perf_counter()

    def step(self, seconds: float, waited: float) -> None:
        """Counts a step of ``seconds``, ``waited`` of them until every rank had its batch."""
        self._steps += 1
        if self._steps > 0:
            self._seconds += seconds
            self._waited += waited

    @property
    def clips_per_second(self) -> float:
        """In this attempt."""
        return self._steps * self._clips / self._seconds if self._steps > 0 else 0.0

    @property
    def data_wait_share(self) -> float:
        return self._waited / self._seconds if self._seconds > 0 else 0.0

    @property
    def measured(self) -> tuple[float, int]:
        """Seconds and clips, warm-up excluded, over all attempts."""
        return self._before[0] + self._seconds, self._before[1] + max(self._steps, 0) * self._clips

    def seconds_left(self, steps: int) -> float | None:
        """Estimated seconds for this many more steps."""
        return steps * self._seconds / self._steps if self._steps > 0 else None

    def elapsed(self) -> float:
        """Seconds since this attempt began."""
        return time.perf_counter() - self._started
