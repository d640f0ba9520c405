"""Manifest rows that outlive a run: one line a video, appended as it finishes."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from raysl.data import decode_inspect
from raysl.data.frame_cache import FULL
from raysl.data.manifest_types import ManifestRow
from raysl.errors import DataError

# What a row depends on besides the code: the file's size and time of change in nanoseconds.
Stamp = tuple[int, int]


class RowStore:
    """The rows of one root, in one file that is only appended to.

    A line that a killed process left unfinished is skipped, and its video decoded again.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        key = hashlib.blake2b(os.fsencode(root.resolve()), digest_size=8).hexdigest()
        self._file = folder / f"{root.name}-{key}.jsonl"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One builder a root and node at a time: the others wait, and then find its rows."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def read(self) -> Mapping[str, tuple[Stamp, ManifestRow]]:
        """Path to stamp and row; the last line of a path counts. Parsed once as long as the file stays as it is."""
        if not self._file.is_file():
            return {}
        found = self._file.stat()
        try:
            return _parsed(self._file, (found.st_size, found.st_mtime_ns))
        except OSError as error:
            raise DataError(
                f"the cache's {self._file} cannot be read: {error.strerror}; remove it, or give another folder with "
                "--cache or RAYSL_CACHE"
            ) from error

    def add(self, stamp: Stamp, row: ManifestRow) -> None:
        """Appends a row, in one write; on a disk that is full nothing is kept, and a later run decodes it again."""
        record = {"version": decode_inspect.VERSION, "stamp": stamp, "row": asdict(row)}
        try:
            with self._file.open("ab", buffering=0) as file:
                # The line end comes first: it closes a line that was left unfinished.
                file.write(f"\n{json.dumps(record)}\n".encode())
        except OSError as error:
            if error.errno not in FULL:
                raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> DataError:
        return DataError(
            f"the cache folder {self._file.parent} cannot be written: {error.strerror}; give another one with --cache "
            "or RAYSL_CACHE"
        )


@lru_cache(maxsize=8)
def _parsed(file: Path, stamp: Stamp) -> Mapping[str, tuple[Stamp, ManifestRow]]:
    """The rows of a file with this stamp. Every evaluation opens its data set, and a large one has 10^5 lines."""
    rows: dict[str, tuple[Stamp, ManifestRow]] = {}
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
            if record["version"] != decode_inspect.VERSION:
                continue
            listed = {name: tuple(record["row"][name]) for name in ("keyframes", "notes")}
            row = ManifestRow(**{**record["row"], **listed})
            rows[row.path] = (record["stamp"][0], record["stamp"][1]), row
        except (ValueError, KeyError, TypeError, IndexError):
            continue
    return MappingProxyType(rows)
