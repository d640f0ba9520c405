"""The folder of one cell: configuration, provenance, attempts, evaluations, faults, and how it ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from raysl.errors import ObstructedError, StorageError
from raysl.results.attempt import KEPT_CHECKPOINTS, Attempt, new_attempt_name
from raysl.results.encoding import (
    UnreadableError,
    digest,
    from_csv,
    has_yaml,
    numbers_from_csv,
    read_json,
    read_yaml,
    to_json,
    to_yaml,
)
from raysl.results.evaluations import Evaluations
from raysl.results.place import Place

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")

EVALUATION = "evaluation"
"""The name under which a fault of all evaluations of a cell is stored (`CellFolder.note_fault`)."""

HEARTBEAT_LIMIT = 90.0
"""Seconds without a heartbeat after which an attempt counts as dead (ours: six missed beats of 15 s)."""

Status = Literal["missing", "running", "interrupted", "done", "failed", "broken"]
_log = logging.getLogger(__name__)


class DamagedWeightsError(StorageError):
    """The final checkpoint of a cell does not match its marker."""


@dataclass(frozen=True)
class CellState:
    """The state of a cell.

    Attributes:
        status: missing (nothing computed), running (with a recent heartbeat), interrupted (begun, and no run works on
            it), done, failed (the reason is its result), broken (a damaged file).
        reason: if failed or broken; if missing or interrupted, why it could not be computed when last tried, if known;
            else empty.
        progress: the last heartbeat's; of a done cell its summary; of a failed one its details.
        by_hand: if broken: the user must repair it first, and nothing is computed again, since the files may be intact.
    """

    status: Status
    reason: str = ""
    progress: dict[str, Any] = field(default_factory=dict)
    by_hand: bool = False


@dataclass(frozen=True)
class CellFolder(Evaluations):
    """The folder ``cells/<cell id>-<data hash>`` of a store.

    Attributes:
        name: ``<cell id>-<data hash>``.
        place: the folder.
    """

    name: str
    place: Place

    def write_config(self, resolved: dict[str, Any]) -> None:
        """Writes ``cell.yaml``: the resolved configuration, plain values only."""
        self.place.write("cell.yaml", to_yaml(resolved))

    def config(self) -> dict[str, Any] | None:
        """``cell.yaml``; None if it does not exist.

        Raises:
            StorageError: it exists but is unreadable.
        """
        return self._whole(read_yaml, "cell.yaml")

    def write_provenance(self, provenance: dict[str, Any]) -> None:
        """Writes ``provenance.json``: commit, versions, hardware, manifest, unreadable videos."""
        self.place.write("provenance.json", to_json(provenance))

    def write_changes(self, diff: bytes) -> None:
        """Keeps how the code differed from its commit as ``changes/<digest>.diff``; `slim_copy` leaves it out."""
        self.place.write(f"changes/{digest(diff)}.diff", diff)

    def provenance(self) -> dict[str, Any] | None:
        """``provenance.json``; None if it does not exist.

        Raises:
            StorageError: it exists but is unreadable.
        """
        return self._whole(read_json, "provenance.json")

    def note_fault(self, part: str, rank: int, fault: dict[str, Any]) -> None:
        """Stores why this rank could not compute a part this time (`faults`); this is not a result.

        Args:
            part: ``pretraining``, an evaluation's name, or `EVALUATION`.
            fault: ``reason`` (one sentence), ``traceback``, and ``follows``: another rank's failure caused it.
        """
        self.place.write(f"faults/{part}/{rank}.json", to_json({"time": time.time(), **fault}))

    def clear_faults(self, part: str) -> None:
        """Removes a part's fault, when it is retried or done."""
        for path in self.place.sizes(f"faults/{part}"):
            self.place.delete(path)

    def faults(self) -> dict[str, str]:
        """From a part (``pretraining``, or an evaluation's name) to why it could not be computed when last tried."""
        found: dict[str, list[tuple[bool, str, str]]] = {}
        for path in self.place.entries("faults"):
            if path.count("/") != 2:
                continue
            _, part, name = path.split("/", 2)
            try:
                fault = read_json(self.place, path) or {}
            except (UnreadableError, ObstructedError) as error:  # such a note has no information, and hides none
                _log.warning("%s/%s", self.place.shown, error)
                continue
            found.setdefault(part, []).append((bool(fault.get("follows")), name, str(fault.get("reason", ""))))
        return {part: min(faults)[2] for part, faults in found.items()}

    def start_attempt(self) -> Attempt:
        """Begins an attempt, in a new folder; the cell counts as running."""
        attempt = self._attempt(new_attempt_name())
        attempt.heartbeat({})
        return attempt

    def end_attempts(self) -> None:
        """Marks all attempts as ended: their processes were killed."""
        for attempt in self.attempts():
            beat = _beat(attempt)
            if beat is not None and beat["state"] == "alive":
                attempt.end(_mapping(beat.get("progress")))

    def attempts(self) -> list[Attempt]:
        """All attempts, the oldest first."""
        return [self._attempt(name) for name in self.place.folders("attempts")]

    def latest_checkpoint(self) -> tuple[int, bytes] | None:
        """Step and bytes of the newest complete checkpoint over all attempts; None if there is none."""
        candidates = [(step, attempt.name) for attempt in self.attempts() for step in attempt.checkpoint_steps()]
        for step, name in sorted(candidates, reverse=True):
            try:
                data = self._attempt(name).checkpoint(step)
            except ObstructedError as error:
                _log.warning("checkpoint left out: %s", error)
                continue
            if data is not None:
                return step, data
        return None

    def final_checkpoint(self) -> bytes | None:
        """The last checkpoint of the attempt that finished; None if none did, or it has none (a slim store).

        Raises:
            DamagedWeightsError: it does not match its marker: `reopen`, and pretrain the cell again.
            StorageError: it cannot be read.
        """
        marker = self._whole(read_json, "done.json")
        if marker is None or marker.get("checkpoint") is None:
            return None
        promised = _mapping(marker.get("weights")) or None
        data = self._attempt(str(marker["attempt"])).checkpoint(int(marker["checkpoint"]), promised)
        if data is None:
            raise DamagedWeightsError(f"{self.place.shown}: the final checkpoint is missing or damaged")
        return data

    def mark_done(self, attempt: Attempt, summary: dict[str, Any]) -> None:
        """Marks the cell as complete, last of all: its curves and last checkpoint are this attempt's.

        Where another attempt finished before, its result stays: evaluations may have been made from it. Checkpoints
        that nobody will go on from are deleted: all but the last of the attempt that finished, also those of attempts
        that still run, which go on without them.

        Args:
            attempt: the one that finished.
            summary: minutes, clips_per_second, unreadable, replaced, ...
        """
        if self.place.read("done.json") is not None and self.state().status == "done":
            _log.warning("%s: another attempt finished first; the result of %s is left out", self.name, attempt.name)
            attempt.drop_checkpoints(keep=0)
            return
        steps = attempt.checkpoint_steps()
        marker = {"attempt": attempt.name, "checkpoint": steps[-1] if steps else None, "summary": summary}
        if steps:  # so that a reader needs no other file
            marker["weights"] = _mapping(attempt.marker(steps[-1]))
        self.place.write("done.json", to_json(marker))
        try:
            self._drop_checkpoints(attempt)
        except StorageError as error:  # they take room and do no harm: the cell is done
            _log.warning("%s: checkpoints that are not needed stay: %s", self.name, error)

    def _drop_checkpoints(self, finished: Attempt) -> None:
        """Each is a whole network with its optimizer, and the bank of one that has any."""
        for attempt in self.attempts():
            attempt.drop_checkpoints(keep=int(attempt.name == finished.name))

    def drop_older(self, own: Attempt) -> None:
        """Deletes what other attempts have beyond the two newest checkpoints that a resume may need.

        Args:
            own: the attempt that has saved one; its own stay, and what others have of later steps.

        Raises:
            StorageError: one cannot be deleted.
        """
        steps = {attempt.name: attempt.checkpoint_steps() for attempt in self.attempts() if attempt.name != own.name}
        mine = own.checkpoint_steps() if any(steps.values()) else []
        older = sorted((step, name) for name, found in steps.items() for step in found if mine and step <= mine[-1])
        for step, name in older[: len(older) - max(0, KEPT_CHECKPOINTS - len(mine))]:
            self._attempt(name).drop_checkpoint(step)

    def mark_failed(self, reason: str, details: dict[str, Any]) -> None:
        """Stores a deterministic failure as the cell's result."""
        self.place.write("failed.json", to_json({"reason": reason, "details": details}))

    def clear_failure(self) -> None:
        """Removes the failure, so that the cell is computed again; checkpoints stay."""
        self.place.delete("failed.json")

    def reopen(self) -> None:
        """Removes every marker, so that a broken cell is computed again; checkpoints stay, if they are complete."""
        self.place.delete("done.json")
        self.place.delete("failed.json")

    def state(self, now: float | None = None) -> CellState:
        """The state of the cell. An unreadable file raises no error: the state is broken, and names it.

        Args:
            now: seconds since 1970 by the store's clock; the present if absent.

        Raises:
            StorageError: the store itself cannot be read.
        """
        try:
            return self._state(now)
        except UnreadableError as error:
            return CellState("broken", f"cells/{self.name}/{error}; raysl run computes the cell anew")
        except ObstructedError as error:
            return CellState("broken", self.without_place(str(error)), by_hand=True)

    def _state(self, now: float | None) -> CellState:
        entries = {path: size for path, size in self.place.entries().items() if not path.startswith("faults/")}
        sizes = {path: size for path, size in entries.items() if size is not None}
        if not sizes:
            if "cell.yaml" in entries:
                read_yaml(self.place, "cell.yaml")  # which names what is there
            return CellState("missing", self.faults().get("pretraining", ""))
        if not has_yaml(self.place, "cell.yaml"):
            raise UnreadableError(f"cell.yaml is missing beside {len(sizes)} other file(s)")
        # A bucket is not asked for what its listing lacks; that of a disk lacks links to themselves.
        done, failed = (
            read_json(self.place, name) if name in entries or self.place.is_local else None
            for name in ("done.json", "failed.json")
        )
        if done is not None:
            return self._done_state(done, sizes)
        if failed is not None:
            if not isinstance(failed.get("reason"), str):
                raise UnreadableError("failed.json names no reason")
            return CellState("failed", failed["reason"], _mapping(failed.get("details")))
        return self._attempt_state(now)

    def _done_state(self, marker: dict[str, Any], sizes: dict[str, int]) -> CellState:
        name, step = marker.get("attempt"), marker.get("checkpoint")
        if not isinstance(name, str) or not isinstance(step, int | None):
            raise UnreadableError("done.json names no attempt and checkpoint")
        if step is not None:
            marked = f"attempts/{name}/checkpoints/{step:09d}.json"
            promised = _mapping(marker.get("weights")) or read_json(self.place, marked) or {}
            if promised.get("bytes") != sizes.get(f"attempts/{name}/checkpoints/{step:09d}.checkpoint", -1):
                raise UnreadableError(f"attempts/{name}/checkpoints/{step:09d}.checkpoint is missing or cut short")
        return CellState("done", "", _mapping(marker.get("summary")))

    def _attempt_state(self, now: float | None) -> CellState:
        attempts = self.attempts()
        fault = self.faults().get("pretraining", "")
        if not attempts:
            return CellState("missing", fault)
        beats = [beat for beat in (_beat(attempt) for attempt in attempts) if beat is not None]
        if not beats:
            return CellState("interrupted", fault)
        newest = max(beats, key=lambda beat: (beat["state"] == "alive", beat["written"]))
        if newest["state"] == "alive" and _is_alive(newest, self.place.now() if now is None else now):
            return CellState("running", "", _mapping(newest.get("progress")))
        latest = max(beats, key=lambda beat: float(beat["written"]))
        return CellState("interrupted", fault, _mapping(latest.get("progress")))

    def curves(self) -> pd.DataFrame | None:
        """The curves of the attempt that finished, else of the newest that wrote any; None if there are none."""
        return self._curves(from_csv)

    def curves_of(self, beginnings: tuple[str, ...]) -> dict[str, NDArray[np.float64]] | None:
        """As `curves`, only the columns whose names begin with ``prefix``, all of them numbers."""
        return self._curves(lambda data, path: numbers_from_csv(data, path, beginnings))

    def _curves(self, decode: Callable[[bytes, str], T]) -> T | None:
        for attempt in self._that_counts():
            try:
                found = attempt.curves()
                if found is not None:
                    return decode(found[1], found[0])
            except UnreadableError as error:
                _log.warning("%s/attempts/%s/%s", self.name, attempt.name, error)
        return None

    def curves_until(self, name: str, step: int) -> dict[str, NDArray[np.float64]]:
        """The curves of the attempt of this name up to this step, all columns; empty if there are none.

        What cannot be read is left out, with a warning: training goes on without it.
        """
        try:
            found = self._attempt(name).curves()
            columns = {} if found is None else numbers_from_csv(found[1], found[0], ("",))
        except (UnreadableError, ObstructedError) as error:
            _log.warning("%s: curves before step %d are left out: attempts/%s/%s", self.name, step, name, error)
            return {}
        kept = columns["step"] <= step if "step" in columns else slice(0)
        return {column: values[kept] for column, values in columns.items()}

    def event_files(self) -> tuple[Place, dict[str, int]]:
        """TensorBoard's files of the attempt that finished, else of the newest that wrote any.

        Returns:
            Where they are, and name to size in bytes.
        """
        place, found = self.place, dict[str, int]()
        for attempt in self._that_counts():
            place = attempt.place.below("tensorboard")
            found = place.sizes()
            if found:
                break
        return place, found

    def _that_counts(self) -> list[Attempt]:
        """The attempt that finished; if none did, all of them, the newest first."""
        attempts = list(reversed(self.attempts()))
        try:
            marker = read_json(self.place, "done.json") or {}
        except UnreadableError as error:
            _log.warning("%s: %s", self.name, error)
            marker = {}
        return [one for one in attempts if one.name == marker.get("attempt")] or attempts

    def _attempt(self, name: str) -> Attempt:
        return Attempt(name, self.place.below(f"attempts/{name}"))

    def _whole(self, reader: Callable[[Place, str], dict[str, Any] | None], path: str) -> dict[str, Any] | None:
        try:
            return reader(self.place, path)
        except UnreadableError as error:
            raise StorageError(
                f"{self.place.shown}/{error}; delete the folder and run the study again to compute the cell anew"
            ) from error


def _beat(attempt: Attempt) -> dict[str, Any] | None:
    """The attempt's last heartbeat, and when it was ``written`` by the store's clock.

    None if it was cut while being written.
    """
    try:
        beat, written = read_json(attempt.place, "heartbeat.json"), attempt.place.written("heartbeat.json")
    except (UnreadableError, ObstructedError) as error:
        _log.warning("%s/%s", attempt.place.shown, error)
        return None
    if beat is None or written is None or "time" not in beat:
        return None
    return {"state": "ended", **beat, "written": written}


def _is_alive(beat: dict[str, Any] | None, now: float) -> bool:
    """Whether somebody works on the attempt with this heartbeat."""
    return beat is not None and beat["state"] == "alive" and bool(abs(now - beat["written"]) < HEARTBEAT_LIMIT)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
