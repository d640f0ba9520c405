"""Carries over results that an older version of raysl stored under hashes of names and lengths.

Those stores keep the manifest of each result, with a fingerprint of every video. If the data here has the same videos,
the result's folders get the names of this version. Old manifests have no labels and splits: these are compared with
the stored predictions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyarrow
import pyarrow.parquet as pq

from raysl.config.component import Chosen
from raysl.config.load import cell_from, evaluation_from
from raysl.data.snapshot import Snapshot, data_record
from raysl.errors import RayslError, StorageError
from raysl.results.encoding import to_json
from raysl.results.folder import CellFolder
from raysl.results.place import Place
from raysl.results.shelf import NO_DATA
from raysl.results.store import Store

OpenData = Callable[[Chosen], Snapshot]


@dataclass
class Carried:
    """What was done with the results of a store.

    Attributes:
        taken: from old to new name, of cells, evaluations and searches.
        current: how many had the names of this version already.
        refused: from old name to the reason why it was not changed.
    """

    taken: dict[str, str] = field(default_factory=dict)
    current: int = 0
    refused: dict[str, str] = field(default_factory=dict)


def carry_store(store: Store, open_data: OpenData) -> Carried:
    """Checks every old result of a store against the data here, and renames the results that match.

    Args:
        open_data: reads a data set on this machine; raises RayslError if it is not here.

    Raises:
        StorageError: the store cannot be read or written.
    """
    carried = Carried()
    for folder in store.cells():
        _carry_evaluations(store, folder, open_data, carried)
        _carry_cell(store, folder, open_data, carried)
    for name in store.place.folders("searches"):
        _carry_search(store, name, open_data, carried)
    if not carried.refused:
        for path in store.place.sizes("manifests"):
            store.place.delete(path)
    return carried


def _carry_cell(store: Store, folder: CellFolder, open_data: OpenData, carried: Carried) -> None:
    provenance, config = folder.provenance() or {}, folder.config()
    id, _, old = folder.name.partition("-")
    if config is None or "data" in provenance or old == NO_DATA:
        carried.current += 1
        return
    try:
        cell = cell_from(config, folder.name)
        snapshot = _checked(store, old, open_data(cell.data))
    except StorageError:
        raise
    except RayslError as error:
        carried.refused[folder.name] = str(error)
        return
    name = f"{id}-{snapshot.hashes.pretraining(cell.pretraining)}"
    folder.write_provenance(_with_data({**provenance, "carried_from": folder.name}, cell.data, snapshot))
    store.save_snapshot(snapshot)
    _move(folder.place, store.named(name).place)
    carried.taken[folder.name] = name


def _carry_evaluations(store: Store, folder: CellFolder, open_data: OpenData, carried: Carried) -> None:
    for name, record in folder.evaluations().items():
        id, _, old = name.rpartition("-")
        if "data" in record or "evaluation" not in record:
            carried.current += 1
            continue
        where = f"{folder.name}/{name}"
        try:
            data = evaluation_from({**record["evaluation"], "label": record["label"]}, where).data
            snapshot = _checked(store, old, open_data(data))
            _check_predictions(folder, name, record, snapshot)
        except StorageError:
            raise
        except RayslError as error:
            carried.refused[where] = str(error)
            continue
        new = f"{id}-{snapshot.hashes.evaluated}"
        store.save_snapshot(snapshot)
        predictions = folder.place.read(f"evaluations/{name}.parquet")
        if predictions is not None:
            folder.place.write(f"evaluations/{new}.parquet", predictions)
        folder.place.write(f"evaluations/{new}.json", to_json(_with_data(record, data, snapshot)))
        for suffix in ("json", "parquet"):
            folder.place.delete(f"evaluations/{name}.{suffix}")
        carried.taken[where] = f"{folder.name}/{new}"


def _carry_search(store: Store, name: str, open_data: OpenData, carried: Carried) -> None:
    id, *hashes = name.split("-")
    folder = store.search(name)
    about = folder.about() or {}
    if "base" not in about or about.get("data_hashes"):
        carried.current += 1
        return
    try:
        base = cell_from(about["base"], name)
        scored_on = dict(about["scored_on"])
        scored = cell_from({**about["base"], "data": scored_on}, name).data
        trained = _checked(store, hashes[0], open_data(base.data))
        of_scores = _checked(store, hashes[-1], open_data(scored))
    except StorageError:
        raise
    except RayslError as error:
        carried.refused[name] = str(error)
        return
    new = f"{id}-{trained.hashes.pretraining(base.pretraining)}-{of_scores.hashes.scored}"
    if new == name:
        carried.current += 1
        return
    for snapshot in (trained, of_scores):
        store.save_snapshot(snapshot)
    _move(folder.place, store.search(new).place)
    carried.taken[name] = new


def _checked(store: Store, old: str, here: Snapshot) -> Snapshot:
    """The data here, if its videos are those of the old manifest, in their order.

    Raises:
        RayslError: they are not, or there is no such manifest.
    """
    known = [path for path in store.place.sizes("manifests") if path.endswith(f"/{old}")]
    if not known:
        raise RayslError(f"the store has no manifest {old}: its data is not known")
    content = store.place.read(known[0])
    file = pq.ParquetFile(pyarrow.BufferReader(content or b""))
    table = file.read(columns=["path", "frames", "fingerprint"], use_threads=False).to_pylist()
    before = [(row["path"], row["frames"], row["fingerprint"]) for row in table]
    now = [(row.path, row.frames, row.fingerprint) for row in here.manifest.rows]
    if before == now:
        return here
    changed = sorted({path for path, *_ in set(before) ^ set(now)})
    first = f", first {changed[0]}" if changed else " in their order alone"
    raise RayslError(f"made from other data than is here: {len(changed)} of {len(before)} videos differ{first}")


def _check_predictions(folder: CellFolder, name: str, record: dict[str, Any], here: Snapshot) -> None:
    """Refuses an evaluation with other test videos or labels than the data here.

    Raises:
        RayslError: naming the first video that differs.
    """
    predictions = folder.predictions(name, record)
    if predictions is None:  # a stored failure has none
        return
    tested = {
        video.path: video.label for video in here.catalog.videos if video.split == "test" and video.label is not None
    }
    stored = dict(zip(predictions["path"], predictions["label"], strict=True))
    for path, label in stored.items():
        if tested.get(path) != label:
            raise RayslError(f"made with other splits or labels than are here: first {path}")


def _with_data(record: dict[str, Any], data: Chosen, snapshot: Snapshot) -> dict[str, Any]:
    """The record with this version's record of the data, instead of a manifest's hash."""
    new = {key: value for key, value in record.items() if key != "manifest"}
    return {**new, "data": data_record(data, snapshot)}


def _move(source: Place, target: Place) -> None:
    paths = sorted(source.sizes())
    for path in paths:
        data = source.read(path)
        if data is None:
            raise StorageError(f"{source.shown}/{path} vanished while it was moved")
        target.write(path, data)
    for path in paths:
        source.delete(path)
    source.delete_folder()
