"""What rank 0 writes to the store while a cell trains; no other rank writes anything."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from raysl.config.cell import CellConfig
from raysl.config.identity import resolved
from raysl.errors import CellFailure, StorageError, StoreLostError
from raysl.results import CellFolder
from raysl.results.attempt import KEPT_CHECKPOINTS
from raysl.training.checkpoint import Checkpoint
from raysl.training.curves import Curves
from raysl.training.events import Events
from raysl.training.heartbeat import Heartbeat
from raysl.training.progress import Progress
from raysl.training.summary import Summary

logger = logging.getLogger(__name__)


def begin(cell: CellConfig, folder: CellFolder, provenance: dict[str, Any], changes: bytes = b"") -> None:
    """Writes the cell and its provenance, and removes an earlier failure: pretraining a failed cell retries it.

    Args:
        changes: the diff of the code against its commit.
    """
    folder.write_config(resolved(cell))
    folder.write_provenance(provenance)
    if changes:
        folder.write_changes(changes)
    folder.clear_failure()


JOINED = 4
"""Parts of the curves of one size that are joined to one of the next: so many times the logarithm of their number to
this base is each row written, and no more than three times that many parts are there."""


@dataclass(frozen=True)
class _Part:
    """A part of the curves in the store: rows from ``begin`` on, joined from parts ``level`` times."""

    begin: int
    level: int
    path: str


class Recorder:
    """One attempt at a cell, from its start to its end; a context manager.

    Args:
        found: the checkpoint that this attempt resumes from; None: it begins.
    """

    def __init__(self, folder: CellFolder, found: Checkpoint | None) -> None:
        self.curves, self._events = Curves(), Events()
        self._parts: list[_Part] = []
        self._saved, self._follows = 0, 0
        self._folder = folder
        if found is not None:
            self._take(found)
            self._follows = KEPT_CHECKPOINTS  # saves until it needs none of the attempt that it goes on from
        self._attempt = folder.start_attempt()
        self._heartbeat = Heartbeat(self._attempt.heartbeat)
        self._state: dict[str, Any] = {}

    def _take(self, found: Checkpoint) -> None:
        """Takes over the curves up to the checkpoint; its last row is there in any case."""
        self.curves = Curves(found.curves or self._folder.curves_until(found.attempt, found.step))
        if len(self.curves) < found.logged:
            lost = f"{found.logged - len(self.curves)} of {found.logged} rows of the curves"
            logger.warning("%s: %s up to step %d are lost", self._folder.place.shown, lost, found.step)
        if found.last and self.curves.last().get("step", 0) < found.last["step"]:
            self.curves.add(found.last)
        for at in range(len(self.curves)):
            self._events.add(self.curves.row(at))

    def __enter__(self) -> Recorder:
        self._heartbeat.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._heartbeat.__exit__(kind, error, trace)
        try:
            if isinstance(error, CellFailure):  # there is no resume, and the curves up to the failure are worth seeing
                self._save_curves(whole=True)
            self._attempt.end(self._state)
        except StoreLostError:
            with suppress(StorageError):  # on a full disk there is room for less
                self._attempt.forget()
        except StorageError as problem:  # the error that ended the run says more than a failed write
            logger.warning("%s", problem)

    def alive(self, progress: Progress) -> None:
        """The state in the next heartbeats."""
        self._state = {
            "epoch": progress.epoch,
            "epochs": progress.epochs,
            "step": progress.step,
            "steps": progress.steps,
            "loss": progress.loss,
            "clips_per_second": progress.clips_per_second,
            "seconds_left": progress.seconds_left,
            "data_wait_share": progress.data_wait_share,
        }
        if progress.peak_memory_gib is not None:
            self._state["peak_memory_gib"] = progress.peak_memory_gib
        if progress.monitored is not None:
            self._state |= progress.monitored.to_dict()
        self._heartbeat.update(self._state)

    def add(self, row: Mapping[str, float]) -> None:
        """One row of the curves, saved with the next checkpoint."""
        self.curves.add(row)
        self._events.add(row)

    def kept(self) -> dict[str, Any]:
        """What a checkpoint keeps of the curves."""
        return {"attempt": self._attempt.name, "logged": len(self.curves), "last": self.curves.last()}

    def save(self, checkpoint: Checkpoint, *, last: bool = False) -> None:
        """The curves, then the checkpoint: of rows that a crash in between left, a resume takes those up to its step.

        Args:
            last: nothing follows, and the curves become one file.
        """
        self._save_curves(whole=last)
        self._attempt.save_checkpoint(checkpoint.step, checkpoint.to_bytes())
        if self._follows:
            self._folder.drop_older(self._attempt)
            self._follows -= 1

    def _save_curves(self, *, whole: bool) -> None:
        if not len(self.curves):
            return
        if whole:
            self._attempt.write_curves(self.curves.frame(), [part.path for part in self._parts])
            self._parts.clear()
        elif self._saved < len(self.curves):
            self._save_part()
        self._saved = len(self.curves)
        events = self._events.unsaved()
        if events is not None:
            self._attempt.write_events(*events)

    def _save_part(self) -> None:
        """The rows since the last save, joined with earlier parts wherever these are as many as are joined."""
        begin, level, replaced = self._saved, 0, list[_Part]()
        while len(alike := [part for part in self._parts if part.level == level]) == JOINED - 1:
            begin, level, replaced = alike[0].begin, level + 1, [*alike, *replaced]
            del self._parts[-len(alike) :]
        path = self._attempt.write_part(self.curves.frame(begin), [part.path for part in replaced])
        self._parts.append(_Part(begin, level, path))

    @property
    def attempts(self) -> int:
        """The number of attempts, this one included; also those that were killed before their first checkpoint."""
        return len(self._folder.attempts())

    def finish(self, summary: Summary, provenance: dict[str, Any]) -> Summary:
        """Marks the cell done, last of all."""
        self._folder.write_provenance(provenance)
        self._folder.mark_done(self._attempt, summary.to_dict())
        return summary
