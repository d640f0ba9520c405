"""A slim store: the inputs of a report, small enough to check in."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Lock

from raysl.errors import StorageError
from raysl.results.curve_files import WHOLE
from raysl.results.encoding import UnreadableError, from_csv, read_json, to_json
from raysl.results.folder import CellFolder
from raysl.results.store import Store

_log = logging.getLogger(__name__)
_KEPT = ("cell.yaml", "provenance.json", "failed.json")


def slim_copy(
    store: Store,
    destination: Store,
    cells: Iterable[str],
    on_refused: Callable[[str, StorageError], None] | None = None,
) -> list[str]:
    """Copies configurations, provenance, evaluations, curves and markers; no checkpoints, no TensorBoard files.

    In the copy a done cell's marker has no checkpoint, so that the copy does not look damaged.

    Args:
        store: where from.
        destination: where to; existing files of a cell are overwritten.
        cells: names of the cells' folders.
        on_refused: called with the name of a cell that cannot be copied, and the reason; None: the error is raised.

    Returns:
        The names that were copied.

    Raises:
        StorageError: a cell is missing or broken, or something could not be read or written. A cell with an unreadable
            file is not copied at all.
    """
    saved = _Snapshots(store, destination)

    def copy(name: str) -> StorageError | None:
        folder, target = store.named(name), destination.named(name).place
        try:
            objects, needed = _slim(folder)
            saved.save(needed)
        except StorageError as error:
            return error
        for path, data in objects.items():
            target.write(path, data)
        return None

    names = sorted(set(cells))
    refused = dict(zip(names, store.of_cells(copy, names), strict=True))
    for name, error in refused.items():
        if error is not None and on_refused is None:
            raise error
        if error is not None and on_refused is not None:
            on_refused(name, error)
    return [name for name, error in refused.items() if error is None]


@dataclass
class _Snapshots:
    """Data sets that are copied, each once."""

    store: Store
    destination: Store
    known: set[str] = field(default_factory=set)
    lock: Lock = field(default_factory=Lock)

    def save(self, hashes: Iterable[str]) -> None:
        with self.lock:
            for hash in sorted(set(hashes) - self.known):
                self.destination.save_snapshot(self.store.snapshot(hash))
                self.known.add(hash)


def slim_search(store: Store, destination: Store, name: str) -> list[str]:
    """Copies the axes and the trials' records of a search, but not the cells that the trials trained.

    Args:
        store: where from.
        destination: where to; existing files of the search are overwritten.
        name: of the search's folder.

    Returns:
        Paths within the search's folder that were copied.

    Raises:
        StorageError: there is no such search, a trial's record is incomplete, or something could not be read or
            written.
    """
    source, target = store.search(name), destination.search(name)
    if source.about() is None:
        raise StorageError(f"cannot export {source.place.shown}: there is no search.json in it")
    source.trials()  # raises if one is incomplete
    records = [path for path in source.place.sizes("trials") if path.endswith(".json")]
    paths = ["search.json", *sorted(records)]
    for path in paths:
        data = source.place.read(path)
        if data is None:
            raise StorageError(f"{source.place.shown}/{path} vanished while it was copied")
        target.place.write(path, data)
    return paths


def _slim(source: CellFolder) -> tuple[dict[str, bytes], set[str]]:
    """The files of a cell to copy, the marker last, and the hashes of the data sets that it was made from."""
    state = source.state()
    if state.status in ("missing", "broken"):
        raise StorageError(f"cannot export {source.place.shown}: it is {state.status} {state.reason}".rstrip())
    provenance, records = source.provenance() or {}, source.evaluations()  # raises if the first is incomplete
    kept = [*_KEPT, *(f"evaluations/{name}.{suffix}" for name in records for suffix in ("parquet", "json"))]
    found = {path: source.place.read(path) for path in kept}
    marker = read_json(source.place, "done.json")
    if marker is not None:
        curves = f"attempts/{marker['attempt']}/{WHOLE}"
        found[curves] = _curves(source, curves)
        kept_of_marker = {key: value for key, value in marker.items() if key != "weights"}
        found["done.json"] = to_json({**kept_of_marker, "checkpoint": None, "slim": True})
    read = [record.get("data") for record in (provenance, *records.values())]
    snapshots = {str(data["snapshot"]) for data in read if isinstance(data, dict) and "snapshot" in data}
    return {path: data for path, data in found.items() if data is not None}, snapshots


def _curves(source: CellFolder, path: str) -> bytes | None:
    """None, with a warning, if they are damaged."""
    data = source.place.read(path)
    try:
        if data is not None:
            from_csv(data, path)
    except UnreadableError as error:
        _log.warning("%s/%s", source.name, error)
        return None
    return data
