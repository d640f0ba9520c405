"""A slim store: the inputs of a report, small enough to check in."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from raysl.errors import StorageError
from raysl.results.encoding import read_json, to_json
from raysl.results.folder import CellFolder
from raysl.results.store import Store

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
    snapshots: set[str] = set()
    copied = []
    for name in sorted(set(cells)):
        folder = store.named(name)
        try:
            objects, needed = _slim(folder), _snapshots(folder) - snapshots
            for hash in sorted(needed):
                destination.save_snapshot(store.snapshot(hash))
        except StorageError as error:
            if on_refused is None:
                raise
            on_refused(name, error)
            continue
        snapshots |= needed
        for path, data in objects.items():
            destination.named(name).place.write(path, data)
        copied.append(name)
    return copied


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


def _snapshots(folder: CellFolder) -> set[str]:
    """Hashes of the data sets that the cell and its evaluations were made from."""
    records = [folder.provenance() or {}, *folder.evaluations().values()]
    read = [record.get("data") for record in records]
    return {str(data["snapshot"]) for data in read if isinstance(data, dict) and "snapshot" in data}


def _slim(source: CellFolder) -> dict[str, bytes]:
    """The files of a cell to copy, the marker last."""
    state = source.state()
    if state.status in ("missing", "broken"):
        raise StorageError(f"cannot export {source.place.shown}: it is {state.status} {state.reason}".rstrip())
    source.provenance()  # raises if it is incomplete
    names = source.evaluations()
    kept = [*_KEPT, *(f"evaluations/{name}.{suffix}" for name in names for suffix in ("parquet", "json"))]
    found = {path: source.place.read(path) for path in kept}
    marker = read_json(source.place, "done.json")
    if marker is not None:
        curves = f"attempts/{marker['attempt']}/curves.csv"
        if source.curves() is not None:
            found[curves] = source.place.read(curves)
        found["done.json"] = to_json({**marker, "checkpoint": None, "slim": True})
    return {path: data for path, data in found.items() if data is not None}
