"""Where cells are computed: the store, this machine's folders, and the data sets as the run read them."""

from __future__ import annotations

import re
import tempfile
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from raysl.config.cells import Cell
from raysl.config.component import Chosen
from raysl.data.places import Places
from raysl.data.snapshot import DataHashes, Snapshot, data_key
from raysl.data.source import VideoSource, known_snapshot, open_source
from raysl.errors import DataError, NodeFault
from raysl.results import CellFolder, Shelf, Store
from raysl.training.threads import free_cpus

OnReading = Callable[[str], None]
MOST_OPEN = 4
"""Data sets that a process keeps open, of this run: lists and manifest of Kinetics take ten seconds to read."""

_opened: dict[tuple[str, str, int], VideoSource] = {}


@dataclass(frozen=True)
class Site:
    """The same for all cells of a run. Can be pickled: workers get it as it is.

    Attributes:
        data: hashes of the data sets that could be read, by `data_key`; their snapshots are in the store.
        run: a name of this run, under which it claims the cells that it works on.
    """

    store: Store
    places: Places
    data: Mapping[str, DataHashes] = field(default_factory=dict)
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:12])

    @cached_property
    def shelf(self) -> Shelf:
        return Shelf(self.store, self.data)

    def folder(self, cell: Cell) -> CellFolder:
        """Where the cell is computed."""
        return self.shelf.folder(cell)

    def found(self, cell: Cell) -> CellFolder:
        """The folder of a cell that is done, also of one that was trained on data that this run did not read.

        Raises:
            NodeFault: it is not done.
        """
        found = self.shelf.find(cell)
        if found.folder is None or found.state.status != "done":
            raise NodeFault(f"cell {cell.id}, which it starts from, is {found.state.status}", may_pass=True)
        return found.folder

    def open(self, data: Chosen, resize: int, on_reading: OnReading | None = None) -> VideoSource:
        """A data set on this node, which must be as the run read it.

        A process opens it once a run. What fits into the cache's budget is decoded first, with the CPUs that are free,
        by one of the processes of a node that ask.

        Args:
            on_reading: called with its progress.

        Raises:
            NodeFault: it is not on this node, or not the same there.
            StorageError: its snapshot cannot be read from the store.
        """
        from raysl.distributed import rank

        hashes = self.data.get(data_key(data))
        if hashes is None:
            raise NodeFault(f"the data set {data.bound_name!r} could not be read when the run began")
        key = (self.run, data_key(data), resize)
        if key in _opened:
            return _opened[key]

        def progress(done: int, total: int) -> None:
            if on_reading is not None and done < total:
                on_reading(f"decoding {data.bound_name}: {done}/{total} videos")

        try:
            snapshot = self.store.snapshot(hashes.snapshot)
            source = open_source(
                data,
                self.places,
                resize=resize,
                snapshot=snapshot,
                processes=free_cpus(),
                progress=progress,
                run=self.run,
            )
        except DataError as error:
            raise NodeFault(str(error), unfit=() if self.places.unbound(data) else [rank()]) from error
        while len(_opened) >= MOST_OPEN:
            _opened.pop(next(iter(_opened)))
        _opened[key] = source
        return source

    def without_paths(self, text: str) -> str:
        """A reason that may be stored and reported: folders of this machine are replaced by names, or left out."""
        named = {f"<{name}>": path for name, path in self.places.roots.items()}
        named |= {"<cache>": self.places.cache, "<store>": Path(self.store.place.root)}
        named |= {"<tmp>": Path(tempfile.gettempdir())}
        with suppress(RuntimeError):  # of a user without a home
            named["~"] = Path.home()
        for name, path in sorted(named.items(), key=lambda pair: -len(str(pair[1]))):
            if len(path.parts) > 1:
                text = re.sub(rf"{re.escape(str(path))}(?=$|[/\s:;,'\")\]])", name, text)
        return re.sub(r"(?<![\w.<>~])/(?:[^\s/:;,'\"()\[\]]+/)+([^\s/:;,'\"()\[\]]+)", r"…/\1", text)


@dataclass(frozen=True)
class ReadData:
    """The data sets of a run.

    Attributes:
        hashes: of those that are known, by `data_key`; their snapshots are in the store.
        unavailable: why the others, or what the store has of them alone, cannot be read, by `data_key`.
        snapshots: of those that are known; they stay with the driver.
    """

    hashes: dict[str, DataHashes]
    unavailable: dict[str, str]
    snapshots: dict[str, Snapshot] = field(default_factory=dict)

    def can_read(self, data: Chosen) -> bool:
        return data_key(data) in self.hashes and data_key(data) not in self.unavailable


def read_data(
    needed: Iterable[tuple[Chosen, int]],
    store: Store,
    places: Places,
    read: Callable[[Chosen, int], Snapshot],
    note: Callable[[str], None],
) -> ReadData:
    """Reads data sets, and keeps each in the store as it was read.

    Args:
        needed: data sets with the short side of their frames in pixels.
        places: as on this machine.
        read: on this machine, or on a node of a cluster; raises DataError or NodeFault.
        note: called with a line for each.

    Raises:
        StorageError: a snapshot cannot be kept.
    """
    found = ReadData({}, {})
    for data, resize in needed:
        key, listing = data_key(data), listing_of(data, places)  # what changes while it is read is read again
        try:
            snapshot = read(data, resize)
        except (DataError, NodeFault) as error:
            found.unavailable[key] = str(error)
            note(f"data set {data.bound_name}: {error}")
            continue
        if key not in found.hashes:
            store.save_snapshot(snapshot, None if listing is None else key, listing or "")
            note(f"data set {data.bound_name}: {_described(snapshot)}")
        if (unbound := places.unbound(data)) and key not in found.unavailable:
            found.unavailable[key] = unbound
            note(f"data set {data.bound_name}: {unbound}")
        found.hashes[key], found.snapshots[key] = snapshot.hashes, snapshot
    return found


def listing_of(data: Chosen, places: Places) -> str | None:
    """`Places.listing`; None where an address can be read by other machines alone, or by none."""
    try:
        return places.listing(data)
    except DataError:
        return None


def needed_data(cells: Iterable[Cell]) -> list[tuple[Chosen, int]]:
    """Everything that cells read: data sets, each with the short side of its frames in pixels, each once."""
    needed: dict[tuple[str, int], Chosen] = {}
    for cell in cells:
        sets = [evaluation.data for evaluation in cell.own]
        for data in [cell.config.data, *sets] if cell.pretrains else sets:
            needed.setdefault((data_key(data), cell.config.clip.resize), data)
    return [(data, resize) for (_, resize), data in needed.items()]


def known_data(sets: Iterable[Chosen], places: Places) -> dict[str, DataHashes]:
    """Hashes of those data sets that this machine has and has decoded before; reads lists, decodes nothing."""
    found: dict[str, DataHashes] = {}
    for data in sets:
        key = data_key(data)
        snapshot = None if key in found else known_snapshot(data, places)
        if snapshot is not None:
            found[key] = snapshot.hashes
    return found


def _described(snapshot: Snapshot) -> str:
    unreadable = snapshot.manifest.unreadable()
    text = f"{len(snapshot.manifest.rows)} videos"
    if unreadable:
        path, reason = next(iter(unreadable.items()))
        text += f", {len(unreadable)} of them unreadable (first: {path}: {reason})"
    return text
