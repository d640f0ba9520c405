"""Long tables of records for many processes: one file that all of them map, instead of a copy in each.

A set of 240 000 videos takes hundreds of megabytes as Python objects. Packed, its records are made again when they are
asked for, a few at a time, and only the file's pages are in memory, once for all processes.
"""

from __future__ import annotations

import io
import mmap
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import is_dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar, overload

import numpy as np

T = TypeVar("T")

LEAST = 2000
"""Records of a table that is packed; a shorter one is copied."""
TOGETHER = 16
"""Records that are read at once: 10 us, and a file a third as large as with one."""


class Packed(Sequence[T]):
    """The records of a file that `packed` wrote, each made when it is asked for. The file may be deleted meanwhile."""

    def __init__(self, file: str, count: int, ends: bytes) -> None:
        with Path(file).open("rb") as opened:
            self._bytes = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        self._count = count
        self._ends = np.frombuffer(ends, np.int64)
        self._read: tuple[int, tuple[T, ...]] = (-1, ())

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        if isinstance(index, slice):
            return tuple(self[one] for one in range(*index.indices(self._count)))
        place = range(self._count)[index]
        group = place // TOGETHER
        if self._read[0] != group:
            start = int(self._ends[group - 1]) if group else 0
            self._read = group, pickle.loads(self._bytes[start : int(self._ends[group])])
        return self._read[1][place % TOGETHER]


class _Pickler(pickle.Pickler):
    """Puts long tuples of dataclasses into files of a folder."""

    def __init__(self, file: io.BytesIO, folder: Path) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._folder, self._written = folder, dict[int, tuple[str, int, bytes]]()

    def persistent_id(self, obj: Any) -> tuple[str, int, bytes] | None:
        if type(obj) is not tuple or len(obj) < LEAST or not is_dataclass(obj[0]):
            return None
        if id(obj) not in self._written:
            self._written[id(obj)] = _write(obj, self._folder / f"{len(self._written)}.records")
        return self._written[id(obj)]


def _write(records: tuple[Any, ...], file: Path) -> tuple[str, int, bytes]:
    ends, end = list[int](), 0
    with file.open("wb") as opened:
        for start in range(0, len(records), TOGETHER):
            end += opened.write(pickle.dumps(records[start : start + TOGETHER], pickle.HIGHEST_PROTOCOL))
            ends.append(end)
    return str(file), len(records), np.array(ends, np.int64).tobytes()


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, pid: Any) -> Packed[Any]:
        return Packed(*pid)


@contextmanager
def packed(value: object) -> Iterator[bytes]:
    """``value`` pickled, for `unpacked` in processes of this machine while the body runs.

    Raises:
        OSError: the folder for temporary files has no room.
    """
    with TemporaryDirectory(prefix="raysl-records-") as folder:
        content = io.BytesIO()
        _Pickler(content, Path(folder)).dump(value)
        yield content.getvalue()


def unpacked(content: bytes) -> Any:
    """What `packed` pickled. Its long tuples of dataclasses are `Packed` sequences."""
    return _Unpickler(io.BytesIO(content)).load()
