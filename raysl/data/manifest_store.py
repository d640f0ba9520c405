"""Manifest rows that outlive a run: one line a video, appended as it finishes; and a manifest as bytes."""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from raysl.data import decode_inspect
from raysl.data.manifest_types import Manifest, ManifestRow
from raysl.errors import DataError

# What a row depends on besides the code: the file's size and time of change in nanoseconds.
Stamp = tuple[int, int]


class RowStore:
    """The rows of one root, in one file that is only appended to.

    A line that a killed process left unfinished is skipped, and its video decoded again.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        key = hashlib.blake2b(str(root.resolve()).encode(), digest_size=8).hexdigest()
        self._file = folder / f"{root.name}-{key}.jsonl"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One builder a root and node at a time: the others wait, and then find its rows."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def read(self) -> dict[str, tuple[Stamp, ManifestRow]]:
        """Path to stamp and row; the last line of a path counts."""
        if not self._file.is_file():
            return {}
        rows: dict[str, tuple[Stamp, ManifestRow]] = {}
        for line in self._file.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                record = json.loads(line)
                if record["version"] != decode_inspect.VERSION:
                    continue
                row = ManifestRow(**{**record["row"], "keyframes": tuple(record["row"]["keyframes"])})
                rows[row.path] = (record["stamp"][0], record["stamp"][1]), row
            except (ValueError, KeyError, TypeError, IndexError):
                continue
        return rows

    def add(self, stamp: Stamp, row: ManifestRow) -> None:
        """Appends a row, in one write."""
        record = {"version": decode_inspect.VERSION, "stamp": stamp, "row": asdict(row)}
        with self._file.open("ab", buffering=0) as file:
            # The line end comes first: it closes a line that was left unfinished.
            file.write(f"\n{json.dumps(record)}\n".encode())


def to_bytes(manifest: Manifest) -> bytes:
    """As parquet, for a results store."""
    columns = {field.name: [getattr(row, field.name) for row in manifest.rows] for field in fields(ManifestRow)}
    columns["keyframes"] = [list(row.keyframes) for row in manifest.rows]
    table = pa.table({name: pa.array(values, type=_TYPES[name]) for name, values in columns.items()})
    sink = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"catalog": manifest.catalog}), sink)
    return sink.getvalue()


def from_bytes(content: bytes) -> Manifest:
    """The manifest that ``to_bytes`` wrote.

    Raises:
        DataError: the bytes are none.
    """
    try:
        table = pq.read_table(io.BytesIO(content))
        rows = tuple(ManifestRow(**{**row, "keyframes": tuple(row["keyframes"])}) for row in table.to_pylist())
        return Manifest((table.schema.metadata or {})[b"catalog"].decode(), rows)
    except (pa.ArrowException, OSError, KeyError, TypeError) as error:
        raise DataError(f"a stored manifest cannot be read ({error}); remove it to have it made again") from error


_TYPES = {
    "path": pa.string(),
    "frames": pa.int64(),
    "header_frames": pa.int64(),
    "keyframes": pa.list_(pa.int64()),
    "height": pa.int64(),
    "width": pa.int64(),
    "rate": pa.float64(),
    "fingerprint": pa.string(),
    "decord_agrees": pa.bool_(),
    "error": pa.string(),
}
