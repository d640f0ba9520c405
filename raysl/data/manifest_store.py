"""Manifest rows that outlive a run: one line per video, appended as it finishes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from raysl.data import decode_inspect
from raysl.data.manifest_types import ManifestRow
from raysl.data.shared_folder import FULL, REFUSED, locked, make_folder, open_shared
from raysl.errors import DataError
from raysl.notes import say_once

# A row depends on this besides the code: the file's size and time of change in nanoseconds.
Stamp = tuple[int, int]
PATIENCE_SECONDS = 900.0
"""Seconds without a video finished by another builder, after which this one does not wait for it any longer."""


class RowStore:
    """The rows of one root, in one file that is only appended to.

    A line that a killed process left unfinished is skipped, and its video decoded again. So is a file that this user
    cannot read.

    Args:
        folder: below the cache; it gets the cache's rights.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        key = hashlib.blake2b(os.fsencode(root.resolve()), digest_size=8).hexdigest()
        self._file = folder / f"{root.name}-{key}.jsonl"
        self._cache = folder.parent
        self._name = root.name
        self._lock: int | None = None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One builder per root and node at a time: the others wait, and then find its rows.

        In a folder that this user can only read, there is no lock to wait for: nothing is written there.

        Raises:
            DataError: there is no such folder, and it cannot be made.
        """
        try:
            make_folder(self._file.parent, self._cache)
            self._lock = open_shared(self._file.with_suffix(".lock"), self._cache)
        except OSError as error:
            if error.errno not in REFUSED or not os.access(self._file.parent, os.R_OK | os.X_OK, effective_ids=True):
                raise self._unwritable(error) from error
            yield
            return
        lock = self._lock
        try:
            with locked(lock, PATIENCE_SECONDS, f"reading of {self._name}", lambda: os.fstat(lock).st_mtime_ns):
                yield
        finally:
            os.close(lock)
            self._lock = None

    def show_work(self) -> None:
        """Shows processes that wait for the lock that its holder is working."""
        if self._lock is not None:
            with suppress(OSError):
                os.utime(self._lock)

    def read(self) -> Mapping[str, tuple[Stamp, ManifestRow]]:
        """From path to stamp and row; the last line of a path counts. Parsed once while the file does not change."""
        try:
            found = self._file.stat()
            return _parsed(self._file, (found.st_size, found.st_mtime_ns))
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            if error.errno not in REFUSED:
                raise self._unwritable(error) from error
            say_once(
                f"the cache {self._cache}: its records of {self._name} cannot be read by this user "
                f"({error.strerror}), so its videos are read again: give another folder with --cache or RAYSL_CACHE"
            )
            return {}

    def add(self, stamp: Stamp, row: ManifestRow) -> None:
        """Appends a row, in one write.

        On a full disk, or in a file that this user cannot write, nothing is stored, and a later run decodes the video
        again.
        """
        record = {"version": decode_inspect.VERSION, "stamp": stamp, "row": asdict(row)}
        try:
            descriptor = open_shared(self._file, self._cache, os.O_WRONLY | os.O_APPEND)
            try:
                # The line end comes first: it ends a line that was left unfinished.
                os.write(descriptor, f"\n{json.dumps(record)}\n".encode())
            finally:
                os.close(descriptor)
        except OSError as error:
            if error.errno not in (*FULL, *REFUSED):
                raise self._unwritable(error) from error
            if error.errno in REFUSED:
                say_once(
                    f"the cache {self._cache}: it cannot be written by this user ({error.strerror}), so {self._name} "
                    "is read again in every run: have its owner let you write there, or give another folder with "
                    "--cache or RAYSL_CACHE"
                )

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
