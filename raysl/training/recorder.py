"""What rank 0 writes to the store while a cell trains; no other rank writes anything."""

from __future__ import annotations

import logging
from contextlib import suppress
from types import TracebackType
from typing import Any

from raysl.config.cell import CellConfig
from raysl.config.identity import resolved
from raysl.errors import CellFailure, StorageError, StoreLostError
from raysl.results import CellFolder
from raysl.training.checkpoint import Checkpoint
from raysl.training.curves import Curves
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


class Recorder:
    """One attempt at a cell, from its start to its end; a context manager.

    Args:
        found: the checkpoint that this attempt resumes from; None: it begins.
    """

    def __init__(self, folder: CellFolder, found: Checkpoint | None) -> None:
        self.curves = Curves(found.curves if found is not None else None)
        self._folder = folder
        self._attempt = folder.start_attempt()
        self._heartbeat = Heartbeat(self._attempt.heartbeat)
        self._state: dict[str, Any] = {}

    def __enter__(self) -> Recorder:
        self._heartbeat.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._heartbeat.__exit__(kind, error, trace)
        try:
            if isinstance(error, CellFailure):  # there is no resume, and the curves up to the failure are worth seeing
                self._save_curves()
            self._attempt.end(self._state)
        except StoreLostError:
            with suppress(StorageError):  # on a full disk there is room for less
                self._attempt.forget()
        except StorageError as problem:  # the error that ended the run says more than a failed write
            logger.warning("%s", problem)
        finally:
            self.curves.__exit__(kind, error, trace)

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
        if progress.monitored is not None:
            self._state |= progress.monitored.to_dict()
        self._heartbeat.update(self._state)

    def save(self, checkpoint: Checkpoint) -> None:
        """Checkpoint first, then the curves: they are in the checkpoint too, so a crash in between loses nothing."""
        self._attempt.save_checkpoint(checkpoint.step, checkpoint.to_bytes())
        self._save_curves()

    def _save_curves(self) -> None:
        if len(self.curves):
            self._attempt.write_curves(self.curves.frame())
            self._attempt.upload(self.curves.event_folder(), "tensorboard")

    @property
    def attempts(self) -> int:
        """The number of attempts, this one included; also those that were killed before their first checkpoint."""
        return len(self._folder.attempts())

    def finish(self, summary: Summary, provenance: dict[str, Any]) -> Summary:
        """Marks the cell done, last of all."""
        self._folder.write_provenance(provenance)
        self._folder.mark_done(self._attempt, summary.to_dict())
        return summary
