"""A store as it is when it is looked at: each folder is listed once, and each small file read once.

For commands that read many cells and compute nothing. On a bucket every request takes some 30 ms, and one listing has
a thousand objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pyarrow
from pyarrow import csv

from raysl.results.place import Place

THREADS = 16
"""Requests to a bucket at the same time."""
SHARE = 32
"""All cells of a bucket are listed together where at least one of so many is wanted: a cell has some 20 objects."""
SMALL = (".json", ".yaml")
"""Files that are kept: predictions and curves are read once anyway, and weights never."""

TEXT = (*SMALL, ".csv")

Item = TypeVar("Item")
Result = TypeVar("Result")


def beside_each_other(place: Place, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """The results in the order of the items: on a bucket several at the same time, where most of it is waiting."""
    if place.is_local:
        return [function(item) for item in items]
    with ThreadPoolExecutor(THREADS, thread_name_prefix="raysl-store") as pool:
        return list(pool.map(function, items))


@dataclass
class _Kept:
    """What was seen, by full paths.

    Attributes:
        cells, shown: the folder of all cells, and its name in messages.
        listed: from the folder of a cell to everything below it.
        complete: whether these are all cells.
        flat: the folders directly in a folder.
        read: small files; None: there is none.
    """

    cells: str
    shown: str
    listed: dict[str, dict[str, Any]] = field(default_factory=dict)
    complete: bool = False
    flat: dict[str, list[str]] = field(default_factory=dict)
    read: dict[str, bytes | None] = field(default_factory=dict)

    def cell_of(self, full: str) -> str | None:
        """The folder of the cell that this is in, or is."""
        if not full.startswith(f"{self.cells}/"):
            return None
        return f"{self.cells}/{full.removeprefix(f'{self.cells}/').partition('/')[0]}"


@dataclass(frozen=True)
class KeptPlace(Place):
    """As `Place`, for reading: what was there at the first look counts from then on."""

    kept: _Kept = field(default_factory=lambda: _Kept("", ""), compare=False)

    @classmethod
    def of(cls, place: Place) -> KeptPlace:
        """The root of a store."""
        kept = _Kept(f"{place.root}/cells", f"{place.shown}/cells")
        return cls(place.filesystem, place.root, place.shown, place.patience, kept)

    def now(self) -> float:
        return Place(self.filesystem, self.root, self.shown, self.patience).now()

    def written(self, path: str) -> float | None:
        full = f"{self.root}/{path}"
        if self.kept.cell_of(full) is None:
            return super().written(path)
        info = self._below(full).get(full)
        return None if info is None or info.mtime_ns is None else info.mtime_ns / 1e9

    def read(self, path: str) -> bytes | None:
        full = f"{self.root}/{path}"
        if full in self.kept.read:
            return self.kept.read[full]
        known = None if self.is_local or self.kept.cell_of(full) is None else self._below(full)
        data = super().read(path) if known is None else self._read_listed(path, known.get(full))
        if full.endswith(SMALL):
            self.kept.read[full] = data
        return data

    def _read_listed(self, path: str, info: Any) -> bytes | None:
        """Reads what was listed, whose size is known; in S3 in one request, if it is text."""
        if info is None:
            return None
        if self.filesystem.type_name == "s3" and path.endswith(TEXT) and info.size:
            data = self._do("read", path, lambda: _text_of(self.filesystem, f"{self.root}/{path}", info.size))
            if data is not None:
                return data
        return super().read(path)

    def folders(self, path: str = "") -> list[str]:
        full = f"{self.root}/{path}".rstrip("/")
        if full not in self.kept.flat:
            if self.kept.cell_of(full) is None:
                found = super().folders(path)
            else:
                below = (name[len(full) + 1 :] for name in self._below(full) if name.startswith(f"{full}/"))
                found = sorted({name.partition("/")[0] for name in below if "/" in name})
            self.kept.flat[full] = found
        return self.kept.flat[full]

    def list_cells(self, wanted: int) -> None:
        """Lists all cells of a bucket together, where this takes fewer requests than to list those that are wanted."""
        if not self.is_local and len(self.folders("cells")) <= SHARE * wanted:
            self._listing("cells", recursive=True)

    def _listing(self, path: str, recursive: bool) -> list[Any]:
        full = f"{self.root}/{path}".rstrip("/")
        if not recursive or (full != self.kept.cells and self.kept.cell_of(full) is None):
            return super()._listing(path, recursive)
        if full != self.kept.cells:
            return [info for name, info in self._below(full).items() if name.startswith(f"{full}/")]
        if not self.kept.complete:
            for info in super()._listing(path, recursive):
                cell = self.kept.cell_of(str(info.path))
                if cell is not None and cell != info.path:
                    self.kept.listed.setdefault(cell, {})[str(info.path)] = info
            self.kept.complete = True
        return [info for listed in self.kept.listed.values() for info in listed.values()]

    def _below(self, full: str) -> dict[str, Any]:
        """Everything below the cell that this is in, or is."""
        cell = self.kept.cell_of(full) or full
        if cell not in self.kept.listed and not self.kept.complete:
            shown = f"{self.kept.shown}/{cell.rpartition('/')[2]}"
            infos = Place(self.filesystem, cell, shown, self.patience)._listing("", recursive=True)
            self.kept.listed[cell] = {str(info.path): info for info in infos}
        return self.kept.listed.get(cell, {})


def _text_of(filesystem: Any, path: str, size: int) -> bytes | None:
    """The lines of an object of this size; None if it is no such text.

    pyarrow's filesystems ask for the size of an object (HEAD) before they read it. A fragment of a data set takes it
    as an argument, and what it reads here is a table with one column, a line in each row.
    """
    from pyarrow.dataset import CsvFileFormat

    parse = csv.ParseOptions(delimiter="\x1f", quote_char=False, ignore_empty_lines=False)
    read = csv.ReadOptions(column_names=["line"], block_size=max(size + 1, 2**10))
    schema = pyarrow.schema([("line", pyarrow.large_binary())])
    fragment = CsvFileFormat(parse, read_options=read).make_fragment(path, filesystem, file_size=size)
    try:
        lines = fragment.to_table(schema=schema, use_threads=False)["line"].to_pylist()
    except pyarrow.ArrowInvalid:
        return None
    text = b"\n".join(lines)
    return next((data for data in (text + b"\n", text) if len(data) == size), None)
