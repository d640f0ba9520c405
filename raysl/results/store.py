"""A results store: the only record of what was computed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from raysl.data.snapshot import Snapshot
from raysl.errors import DataError, StorageError
from raysl.results.folder import CellFolder
from raysl.results.frame import cell_rows
from raysl.results.kept import KeptPlace, beside_each_other
from raysl.results.place import Place, place
from raysl.results.search_folder import SearchFolder
from raysl.results.titles import Titles, read_titles, write_titles

if TYPE_CHECKING:
    import pandas as pd

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Store:
    """Cells below ``cells/``, searches below ``searches/``, data sets as read below ``data/``. Can be pickled.

    Attributes:
        place: its folder.
    """

    place: Place

    def check_writable(self) -> None:
        """Writes, reads and deletes one small object.

        Raises:
            StorageError: one of these failed.
        """
        self.place.check_writable("results store", "--storage")

    def folder(self, cell_id: str, data_hash: str) -> CellFolder:
        """The folder of a cell, whether it exists or not.

        Args:
            cell_id: hash of the configuration.
            data_hash: `raysl.data.snapshot.DataHashes.pretraining`; ``none`` if nothing is pretrained.
        """
        return self.named(f"{cell_id}-{data_hash}")

    def named(self, name: str) -> CellFolder:
        """The folder of a cell by its full name."""
        return CellFolder(name, self.place.below(f"cells/{name}"))

    def cells(self) -> list[CellFolder]:
        """All cells' folders, in any state, sorted by name."""
        return [self.named(name) for name in self.place.folders("cells")]

    def kept(self) -> Store:
        """This store for reading as it is now: each folder is listed once, and each small file read once."""
        return self if isinstance(self.place, KeptPlace) else Store(KeptPlace.of(self.place))

    def of_cells(self, function: Callable[[Item], Result], cells: Collection[Item]) -> list[Result]:
        """The results of a function that reads a cell, in their order; on a bucket of several cells at once."""
        if isinstance(self.place, KeptPlace):
            self.place.list_cells(len(cells))
        return beside_each_other(self.place, function, cells)

    def search(self, name: str) -> SearchFolder:
        """The folder of a search, whether it exists or not."""
        return SearchFolder(name, self.place.below(f"searches/{name}"))

    def of_search(self, name: str) -> Store:
        """The store in which the trials of a search are trained; tables do not read it."""
        return Store(self.place.below(f"searches/{name}"))

    def save_snapshot(self, snapshot: Snapshot, key: str | None = None, listing: str = "") -> None:
        """Stores a data set as a run read it, under its hash.

        Args:
            key: `raysl.data.snapshot.data_key`, by which `snapshot_of` finds it again.
            listing: the contents of the data set's address, if its root is one.
        """
        hash = snapshot.hashes.snapshot
        self.place.write(_snapshot_path(hash), snapshot.to_bytes())
        if key is not None:
            self.place.write(f"{_read_as(key)}/{hash}", f"{listing}\n".encode())

    def snapshot_of(self, key: str, listing: str = "") -> Snapshot | None:
        """The data set that runs read under this key; None if none did, or they read several.

        Args:
            listing: the contents of the data set's address now; data that was read from other contents does not count.

        Raises:
            StorageError: it cannot be read.
        """
        now = f"{listing}\n".encode()
        paths = [path for path in self.place.sizes(_read_as(key)) if self.place.read(path) == now]
        return self.snapshot(paths[0].rpartition("/")[2]) if len(paths) == 1 else None

    def snapshot(self, hash: str) -> Snapshot:
        """The data set of this hash.

        Raises:
            StorageError: it is missing or incomplete.
        """
        path = _snapshot_path(hash)
        content = self.place.read(path)
        if content is None:
            raise StorageError(f"{self.place.shown}/{path} is gone; run the study again, which writes it anew")
        try:
            return Snapshot.from_bytes(content)
        except DataError as error:
            raise StorageError(
                f"{self.place.shown}/{path}: {error}; run the study again, which writes it anew"
            ) from error

    def titles(self) -> Titles:
        """Which rows of which studies cells belong to, by their ids, as far as runs on this store have said.

        Raises:
            StorageError: the store cannot be read.
        """
        return read_titles(self.place)

    def save_titles(self, report_name: str, titles: Titles) -> None:
        """See `raysl.results.titles.write_titles`."""
        write_titles(self.place, report_name, titles)

    def frame(self) -> pd.DataFrame:
        """Cells x evaluations, with every configuration field.

        Returns:
            One row per cell and evaluation (one row for a cell without any). Columns: ``cell``, ``titles`` (a tuple,
            ``quickstart/SimCLR/seed1``: of the rows that it belongs to), ``status``, ``reason``; each field of
            ``cell.yaml`` under its dotted path (``objective.contrastive.temperature``);
            ``summary.*`` (minutes, clips per second, unreadable and replaced videos); ``evaluation`` (its name),
            ``evaluation.*`` (its record) and ``metric.*`` in percent. Values that a cell does not have are NaN.
        """
        import pandas as pd

        titles, kept = self.titles(), self.kept()
        cells = kept.cells()
        rows: list[dict[str, Any]] = [
            row for found in kept.of_cells(partial(cell_rows, titles=titles), cells) for row in found
        ]
        return (
            pd.DataFrame(rows) if rows else pd.DataFrame(columns=["cell", "titles", "status", "reason", "evaluation"])
        )


def open(storage: str | Path) -> Store:
    """Opens a store; a local folder is created by the first write.

    Args:
        storage: a local path, or ``s3://bucket/prefix?endpoint_override=...``, ``gs://bucket/prefix``.

    Raises:
        StorageError: the address is not understood, or names a file.
    """
    return Store(place(storage))


def _read_as(key: str) -> str:
    return f"data/read/{key}"


def _snapshot_path(hash: str) -> str:
    return f"data/{hash}.parquet"
