"""Cells on a cluster: their data is read where it lies, and each cell is a Tune trial."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raysl.config.component import Chosen
from raysl.data.catalog import CatalogReader
from raysl.data.places import Places
from raysl.data.snapshot import Snapshot
from raysl.data.source import open_source, prepare_files
from raysl.engine.board import Posted, Watch, notes_to, start_board
from raysl.engine.cluster import Cluster
from raysl.engine.trials import run_trials
from raysl.errors import NodeFault, RayslError
from raysl.results import Found
from raysl.work.compute import workers_of
from raysl.work.events import CellProgress, OnEvent, Reading
from raysl.work.site import Site


class OnCluster:
    """A `raysl.work.run_cells.Backend`.

    Args:
        places: as on this machine; roots may be bound on some nodes alone.
        max_concurrent: cells beside each other, at most; as many as fit where None.
    """

    def __init__(self, cluster: Cluster, places: Places, max_concurrent: int | None = None) -> None:
        self.cluster, self.places, self.max_concurrent = cluster, places, max_concurrent
        self.said: Mapping[str, CellProgress] = {}
        self.board = start_board()

    def read(self, data: Chosen, resize: int, on_event: OnEvent) -> Snapshot:
        """Asks one node after the other, this machine first."""

        def look(posted: Posted) -> None:
            for reading in posted.readings.values():
                on_event(reading)

        failure: RayslError = NodeFault(f"data set {data.bound_name}: no node of the cluster has a CPU to read it with")
        with Watch(self.board, look):
            for node, cpus in self.cluster.node_cpus.items():
                here = {"scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False)}
                if not data.build().needs_root:
                    self._make(data, cpus, here)
                read = cast(Any, ray.remote)(num_cpus=cpus, **here)(_read_here)
                result: bytes | RayslError = ray.get(read.remote(data, resize, self.places, self.board))
                self.say_notes()
                if isinstance(result, bytes):
                    return Snapshot.from_bytes(result)
                failure = result
        raise failure

    def _make(self, data: Chosen, cpus: int, here: dict[str, Any]) -> None:
        """Makes a data set's files on a node, where they are not there: each process would import for seconds."""
        made = cast(Any, ray.remote)(num_cpus=1, **here)(_is_made_here)
        if ray.get(made.remote(data, self.places)):
            return
        make = cast(Any, ray.remote)(num_cpus=1, **here)(_make_here)
        ray.get([make.remote(data, self.places, self.board) for _ in range(cpus)])

    def at_once(self, tasks: Sequence[Found]) -> int:
        fitting = (self.cluster.at_once(workers_of(task)) for task in tasks)
        return min([self.max_concurrent or len(tasks), *fitting])

    def compute(self, tasks: Sequence[Found], site: Site, changed: Callable[[], None]) -> None:
        def look(posted: Posted) -> None:
            self.said = posted.cells
            changed()

        with Watch(self.board, look):
            run_trials(tasks, site, self.cluster, self.board, self.max_concurrent)
        self.said = self.say_notes().cells

    def say_notes(self) -> Posted:
        """Says what processes have said up to now; all that is on the board."""
        posted = cast(Posted, ray.get(self.board.read.remote()))
        posted.say_notes()
        return posted


def _is_made_here(data: Chosen, places: Places) -> bool:
    """The task: whether all files of a data set that makes its own are there."""
    reader: CatalogReader = data.build()
    try:
        reader.read(places.root(data))
    except RayslError:
        return False
    return True


def _make_here(data: Chosen, places: Places, board: Any) -> None:
    """The task, one a CPU: they share the making of a data set's files. What fails here fails in reading too."""
    board.post_reading.remote(data.bound_name, Reading(data.bound_name, "making", 0, 0))
    with notes_to(board), contextlib.suppress(RayslError):
        prepare_files(data, places)


def _read_here(data: Chosen, resize: int, places: Places, board: Any) -> bytes | RayslError:
    """The task: the snapshot, or why this node cannot make it."""

    def progress(done: int, total: int) -> None:
        board.post_reading.remote(data.bound_name, Reading(data.bound_name, "reading", done, total))

    progress(0, 0)
    try:
        with notes_to(board):
            snapshot = open_source(data, places, resize=resize, processes=None, progress=progress).snapshot
    except RayslError as error:
        return error
    finally:
        board.post_reading.remote(data.bound_name, None)
    return snapshot.to_bytes()
