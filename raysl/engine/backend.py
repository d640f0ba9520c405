"""Cells on a cluster: their data is read where it lies, and each cell is a Tune trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raysl.config.component import Chosen
from raysl.data.places import Places
from raysl.data.snapshot import Snapshot
from raysl.engine.board import Posted, Watch, start_board
from raysl.engine.cluster import Cluster
from raysl.engine.reading import is_made_here, make_here, read_here
from raysl.engine.trials import run_trials
from raysl.errors import NodeFault, RayslError
from raysl.results import Found
from raysl.work.compute import workers_of
from raysl.work.events import CellProgress, OnEvent
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
        self._board = start_board()

    def read(self, data: Chosen, resize: int, on_event: OnEvent) -> Snapshot:
        """Asks one node after the other, this machine first."""

        def look(posted: Posted) -> None:
            for reading in posted.readings.values():
                on_event(reading)

        failure: RayslError = NodeFault(f"data set {data.bound_name}: no node of the cluster has a CPU to read it with")
        with Watch(self._board, look):
            for node, cpus in self.cluster.node_cpus.items():
                here = {"scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False)}
                if not data.build().needs_root:
                    self._make(data, cpus, here)
                read = cast(Any, ray.remote)(num_cpus=cpus, **here)(read_here)
                result: bytes | RayslError = ray.get(read.remote(data, resize, self.places, self._board))
                if isinstance(result, bytes):
                    return Snapshot.from_bytes(result)
                failure = result
        raise failure

    def _make(self, data: Chosen, cpus: int, here: dict[str, Any]) -> None:
        """Makes a data set's files on a node, where they are not there: each process would import for seconds."""
        made = cast(Any, ray.remote)(num_cpus=1, **here)(is_made_here)
        if ray.get(made.remote(data, self.places)):
            return
        make = cast(Any, ray.remote)(num_cpus=1, **here)(make_here)
        ray.get([make.remote(data, self.places, self._board) for _ in range(cpus)])

    def at_once(self, tasks: Sequence[Found]) -> int:
        fitting = (self.cluster.at_once(workers_of(task)) for task in tasks)
        return min([self.max_concurrent or len(tasks), *fitting])

    def compute(self, tasks: Sequence[Found], site: Site, changed: Callable[[], None]) -> None:
        def look(posted: Posted) -> None:
            self.said = posted.cells
            changed()

        with Watch(self._board, look):
            run_trials(tasks, site, self.cluster, self._board, self.max_concurrent)
        self.said = cast(Posted, ray.get(self._board.read.remote())).cells
