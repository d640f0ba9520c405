"""A slim store: what a report is made from, small enough to check in."""

from __future__ import annotations

from collections.abc import Iterable

from raysl.errors import StorageError
from raysl.results.encoding import read_json, to_json
from raysl.results.folder import CellFolder
from raysl.results.place import Place
from raysl.results.store import Store

_KEPT = ("cell.yaml", "provenance.json", "failed.json")


def slim_copy(store: Store, destination: Store, cells: Iterable[str]) -> list[str]:
    """Copies configurations, provenance, evaluations, curves and markers; no checkpoints, no TensorBoard files.

    A done cell's marker says in the copy that there is no checkpoint, so nothing there looks damaged.

    Args:
        store: where from.
        destination: where to; what it already holds of a cell is overwritten.
        cells: names of the cells' folders.

    Returns:
        The names that were copied.

    Raises:
        StorageError: a cell is missing or broken, or something could not be read or written.
    """
    names = sorted(set(cells))
    snapshots: set[str] = set()
    for name in names:
        _copy(store.named(name), destination.named(name))
        snapshots |= _snapshots(store.named(name))
    for hash in sorted(snapshots):
        destination.save_snapshot(store.snapshot(hash))
    return names


def slim_search(store: Store, destination: Store, name: str) -> list[str]:
    """Copies what was searched and how each trial ended; nothing of the cells that the trials trained.

    Args:
        store: where from.
        destination: where to; what it already holds of the search is overwritten.
        name: of the search's folder.

    Returns:
        Paths within the search's folder that were copied.

    Raises:
        StorageError: there is no such search, a trial's record is not whole, or something could not be read or written.
    """
    source, target = store.search(name), destination.search(name)
    if source.place.read("search.json") is None:
        raise StorageError(f"cannot export {source.place.shown}: there is no search.json in it")
    source.trials()  # raises where one is not whole
    records = [path for path in source.place.sizes("trials") if path.endswith(".json")]
    paths = ["search.json", *sorted(records)]
    for path in paths:
        _copy_object(source.place, target.place, path)
    return paths


def _snapshots(folder: CellFolder) -> set[str]:
    """Hashes of the data sets that the cell and its evaluations were made from."""
    records = [folder.provenance() or {}, *folder.evaluations().values()]
    read = [record.get("data") for record in records]
    return {str(data["snapshot"]) for data in read if isinstance(data, dict) and "snapshot" in data}


def _copy(source: CellFolder, target: CellFolder) -> None:
    state = source.state()
    if state.status in ("missing", "broken"):
        raise StorageError(f"cannot export {source.place.shown}: it is {state.status} {state.reason}".rstrip())
    for path in sorted(source.place.sizes()):
        if path in _KEPT or path.startswith("evaluations/"):
            _copy_object(source.place, target.place, path)
    marker = read_json(source.place, "done.json")
    if marker is None:
        return
    curves = f"attempts/{marker['attempt']}/curves.csv"
    if source.place.read(curves) is not None:
        _copy_object(source.place, target.place, curves)
    target.place.write("done.json", to_json({**marker, "checkpoint": None, "slim": True}))


def _copy_object(source: Place, target: Place, path: str) -> None:
    data = source.read(path)
    if data is None:
        raise StorageError(f"{source.shown}/{path} vanished while it was copied")
    target.write(path, data)
