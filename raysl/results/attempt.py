"""One attempt at a cell. It writes only its own folder, so two drivers on one store never mix their files."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from raysl.results.curve_files import WHOLE, joined, part_path, part_paths
from raysl.results.encoding import UnreadableError, digest, read_json, to_csv, to_json
from raysl.results.place import Place

if TYPE_CHECKING:
    import pandas as pd

KEPT_CHECKPOINTS = 2
STARTED = "%Y%m%dT%H%M%S"
"""Format of the beginning of an attempt's name, the time of its start (UTC)."""
_log = logging.getLogger(__name__)


def new_attempt_name() -> str:
    """A unique name that sorts by the time of the start (UTC)."""
    return f"{time.strftime(STARTED, time.gmtime())}-{uuid.uuid4().hex[:12]}"


@dataclass(frozen=True)
class Attempt:
    """The folder ``attempts/<name>`` of a cell.

    Attributes:
        name: unique over all drivers.
        place: its folder.
    """

    name: str
    place: Place

    def save_checkpoint(self, step: int, data: bytes) -> None:
        """Writes a checkpoint, then the marker that it is complete; keeps the newest two.

        Args:
            step: optimizer steps done, >= 0.
            data: the checkpoint's bytes, not empty.

        Raises:
            ValueError: there is nothing to save.
            StorageError: it could not be written.
        """
        if step < 0 or not data:
            raise ValueError(f"a checkpoint needs a step >= 0 and bytes; got step {step}, {len(data)} bytes")
        self.place.write(_object(step), data)
        self.place.write(_marker(step), to_json({"step": step, "bytes": len(data), "digest": digest(data)}))
        self.drop_checkpoints(keep=KEPT_CHECKPOINTS)

    def drop_checkpoints(self, keep: int) -> None:
        """Deletes all checkpoints but the newest ``keep`` complete ones, markers first.

        Raises:
            StorageError: one cannot be deleted.
        """
        entries = self.place.entries("checkpoints")
        steps = _complete(entries)
        kept = {path for step in steps[len(steps) - keep :] for path in (_marker(step), _object(step))}
        files = {path for path, size in entries.items() if size is not None}
        for path in sorted(files - kept, key=lambda path: not path.endswith(".json")):
            self.place.delete(path)

    def drop_checkpoint(self, step: int) -> None:
        """Deletes one, the marker first."""
        self.place.delete(_marker(step))
        self.place.delete(_object(step))

    def checkpoint_steps(self) -> list[int]:
        """Steps of the checkpoints that have a marker and an object, in ascending order."""
        return _complete(self.place.entries("checkpoints"))

    def marker(self, step: int) -> dict[str, Any] | None:
        """What the checkpoint of this step must be: ``step``, ``bytes``, ``digest``; None if there is none.

        Raises:
            UnreadableError: the marker is not whole.
        """
        return read_json(self.place, _marker(step))

    def checkpoint(self, step: int, marker: Mapping[str, Any] | None = None) -> bytes | None:
        """The checkpoint of this step; None, with a warning, if its bytes do not match its marker.

        Args:
            marker: of this step, if it is known.
        """
        try:
            marker = self.marker(step) if marker is None else marker
        except UnreadableError as error:
            _log.warning("checkpoint left out: %s/%s", self.place.shown, error)
            return None
        data = self.place.read(_object(step))
        if marker is None or data is None:
            return None
        if marker.get("bytes") != len(data) or marker.get("digest") != digest(data):
            _log.warning(
                "checkpoint left out: %s/%s has %d bytes whose number or digest differs from its marker",
                self.place.shown,
                _object(step),
                len(data),
            )
            return None
        return data

    def write_curves(self, curves: pd.DataFrame, replaces: Iterable[str] = ()) -> None:
        """Writes ``curves.csv``, one row per logged step; ``replaces`` as for `write_part`."""
        self.place.write(WHOLE, to_csv(curves))
        for old in replaces:
            self.place.delete(old)

    def write_part(self, rows: pd.DataFrame, replaces: Iterable[str] = ()) -> str:
        """Writes some rows of the curves, at least one; returns the path of the part.

        Args:
            replaces: paths of parts whose rows are among these; they are deleted.
        """
        path = part_path(rows)
        self.place.write(path, to_csv(rows))
        for old in replaces:
            self.place.delete(old)
        return path

    def curves(self) -> tuple[str, bytes] | None:
        """All curves as one CSV table, and the path that errors name; None if there are none.

        Raises:
            UnreadableError: a part is not a table.
        """
        data = self.place.read(WHOLE)
        if data is not None:
            return WHOLE, data
        parts = [(path, self.place.read(path) or b"") for path in part_paths(self.place)]
        return (parts[-1][0], joined(parts)) if parts else None

    def write_events(self, name: str, data: bytes) -> None:
        """Writes or replaces a file of TensorBoard."""
        self.place.write(f"tensorboard/{name}", data)

    def heartbeat(self, progress: dict[str, Any]) -> None:
        """Writes a heartbeat with the progress (epoch, step, clips_per_second, ...)."""
        self._beat(progress, "alive")

    def end(self, progress: dict[str, Any] | None = None) -> None:
        """Marks the attempt as ended, so that it does not count as running until its heartbeat is stale."""
        self._beat(progress or {}, "ended")

    def forget(self) -> None:
        """Deletes the last heartbeat, if there is no room to mark the attempt as ended."""
        self.place.delete("heartbeat.json")

    def _beat(self, progress: dict[str, Any], mark: Literal["alive", "ended"]) -> None:
        self.place.write("heartbeat.json", to_json({"time": time.time(), "state": mark, "progress": progress}))


def _complete(entries: Collection[str]) -> list[int]:
    """The steps of which a folder of checkpoints has marker and object, in ascending order."""
    steps = [int(Path(name).stem) for name in entries if name.endswith(".json") and Path(name).stem.isdigit()]
    return sorted(step for step in steps if _object(step) in entries)


def _object(step: int) -> str:
    return f"checkpoints/{step:09d}.checkpoint"


def _marker(step: int) -> str:
    return f"checkpoints/{step:09d}.json"
