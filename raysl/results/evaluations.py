"""Evaluations of a cell: a record in JSON, written last, and the per-video predictions in parquet."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow
import pyarrow.parquet as pq

from raysl.errors import ObstructedError
from raysl.results.encoding import UnreadableError, digest, read_json, to_json
from raysl.results.place import Place

if TYPE_CHECKING:
    import pandas as pd

_RESERVED = {"status", "reason", "predictions"}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvaluationFault:
    """The fault of an evaluation that is stored but cannot be used.

    Attributes:
        reason: names the file, relative to the store's root, and what to do.
        by_hand: the user must repair it; otherwise it is computed again.
    """

    reason: str
    by_hand: bool


class Evaluations:
    """The part of a cell's folder below ``evaluations/``."""

    place: Place

    def save_evaluation(self, name: str, record: dict[str, Any], predictions: pd.DataFrame) -> None:
        """Stores an evaluation: the predictions first, then the record, which marks it as complete.

        Args:
            name: the evaluation's id, one path element.
            record: JSON-serialisable; ``metrics`` with the headline first, ``n_test``, ``label``, ``details``, ...
            predictions: one row per test video: ``video``, ``path``, ``label``, ``correct``, and more.
        """
        buffer = io.BytesIO()
        predictions.to_parquet(buffer, index=False)
        data = buffer.getvalue()
        self.place.write(f"evaluations/{name}.parquet", data)
        whole = {"status": "done", **_free(record), "predictions": {"bytes": len(data), "digest": digest(data)}}
        self.place.write(f"evaluations/{name}.json", to_json(whole))

    def fail_evaluation(self, name: str, reason: str, record: dict[str, Any]) -> None:
        """Stores an evaluation's deterministic failure as its result."""
        self.place.write(f"evaluations/{name}.json", to_json({"status": "failed", "reason": reason, **_free(record)}))

    def clear_evaluation(self, name: str) -> None:
        """Removes an evaluation, so that it is computed again."""
        self.place.delete(f"evaluations/{name}.json")

    def evaluation(self, name: str) -> dict[str, Any] | None:
        """The record with its ``status`` (done, or failed with a ``reason``); None if there is no complete one."""
        return self.read_evaluations((name,))[0].get(name)

    def evaluations(self) -> dict[str, dict[str, Any]]:
        """All complete evaluations, done and failed, by name. Reads the records, not the predictions."""
        return self.read_evaluations()[0]

    def read_evaluations(
        self, names: Iterable[str] | None = None
    ) -> tuple[dict[str, dict[str, Any]], dict[str, EvaluationFault]]:
        """The complete evaluations, and the faults of those that are stored but cannot be used, by name.

        Args:
            names: None: all.
        """
        entries = self.place.entries("evaluations")
        files = (path.removeprefix("evaluations/") for path in entries)
        known = {file.removesuffix(".json") for file in files if file.endswith(".json")}
        found: dict[str, dict[str, Any]] = {}
        faults: dict[str, EvaluationFault] = {}
        for name in sorted(known if names is None else known.intersection(names)):
            try:
                found[name] = self._record(name, entries)
            except UnreadableError as error:
                _log.warning("%s: evaluation left out: %s", self.place.shown, error)
                reason = f"{self.without_place(self.place.shown)}/{error}; raysl run computes it anew"
                faults[name] = EvaluationFault(reason, by_hand=False)
            except ObstructedError as error:
                _log.warning("evaluation left out: %s", error)
                faults[name] = EvaluationFault(self.without_place(str(error)), by_hand=True)
        return found, faults

    def without_place(self, text: str) -> str:
        """A message that may be stored and reported, without the path of the store."""
        folder, _, name = self.place.shown.rpartition("/")
        return text.replace(f"{folder}/{name}", f"cells/{name}")

    def predictions(self, name: str, record: dict[str, Any] | None = None) -> pd.DataFrame | None:
        """The per-video predictions of a done evaluation, verified; None if they are absent or damaged.

        Args:
            record: the evaluation's, where it was read already.

        Raises:
            ObstructedError: they exist, but this user may not read them.
        """
        table = self.prediction_table(name, self.evaluation(name) if record is None else record)
        return None if table is None else table.to_pandas(use_threads=False)

    def prediction_table(self, name: str, record: dict[str, Any] | None) -> pyarrow.Table | None:
        """One column, as `predictions`; reading one takes a third of the time."""
        if record is None or record["status"] != "done":
            return None
        data = self.place.read(f"evaluations/{name}.parquet")
        try:
            if data is None or record["predictions"] != {"bytes": len(data), "digest": digest(data)}:
                raise UnreadableError(f"evaluations/{name}.parquet is not what evaluations/{name}.json promises")
            return pq.ParquetFile(pyarrow.BufferReader(data)).read(use_threads=False)
        except (UnreadableError, pyarrow.ArrowException, OSError) as error:
            _log.warning("%s: predictions of %s left out: %s", self.place.shown, name, error)
            return None

    def _record(self, name: str, entries: dict[str, int | None]) -> dict[str, Any]:
        """Reads the record; written last, it marks the evaluation as complete. The predictions must have its length.

        Raises:
            UnreadableError: it is incomplete.
            ObstructedError: it cannot be read, or there is a folder instead of the predictions.
        """
        predictions = f"evaluations/{name}.parquet"
        if predictions in entries and entries[predictions] is None:
            self.place.read(predictions)
        record = read_json(self.place, f"evaluations/{name}.json")
        if record is None:
            raise UnreadableError(f"evaluations/{name}.json vanished while it was read")
        if record.get("status") == "done":
            promised = record.get("predictions")
            size = promised.get("bytes") if isinstance(promised, dict) else None
            if size is None or entries.get(predictions) != size:
                raise UnreadableError(f"{predictions} is not what evaluations/{name}.json promises")
        elif record.get("status") != "failed" or not isinstance(record.get("reason"), str):
            raise UnreadableError(f"evaluations/{name}.json has no status, or failed without a reason")
        return record


def _free(record: dict[str, Any]) -> dict[str, Any]:
    taken = _RESERVED & set(record)
    if taken:
        raise ValueError(f"an evaluation's record may not hold {', '.join(sorted(taken))}: the store writes them")
    return record
