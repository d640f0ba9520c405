"""Cells on a cluster: data is read on a node that has it, and each cell is a Tune trial."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import ray
from ray.exceptions import RayError

from raysl.config.component import Chosen
from raysl.data.places import Places
from raysl.data.snapshot import Snapshot, data_key
from raysl.data.source import is_here, known_snapshot, open_source
from raysl.engine.cells.placement import MOST_NODES_TRIED, WAITING, avoiding
from raysl.engine.cells.trials import Trials
from raysl.engine.cluster import Cluster
from raysl.engine.offer import nodes_that_leave, offer
from raysl.engine.progress.board import Posted, Watch, start_board
from raysl.engine.reading import read_here
from raysl.errors import DataError, StorageError
from raysl.results import Store, StoredCell
from raysl.work.compute import workers_of
from raysl.work.events import CellProgress, Note, OnEvent, Reading
from raysl.work.order import Order
from raysl.work.run_cells import AS_IT_FITS, RunOptions
from raysl.work.site import Site, listing_of

LEAVING_SECONDS = 15.0
"""How long cells may take to end in order when a run is ended: they finish their current step first."""


class OnCluster:
    """A `raysl.work.run_cells.Backend`.

    Args:
        places: as on this machine; roots may be bound on some nodes alone.
        store: has the data sets that earlier runs read, to plan those that are not on this machine.
        note: called with each line worth keeping.
        sites: receives the sites at which cells were computed.
    """

    def __init__(
        self,
        cluster: Cluster,
        places: Places,
        store: Store,
        note: Callable[[str], None] = lambda text: None,
        options: RunOptions = AS_IT_FITS,
        sites: list[Site] | None = None,
    ) -> None:
        self.cluster, self.places, self.store, self.note = cluster, places, store, note
        self.max_concurrent, self.read_again = options.max_concurrent, options.read_again
        self.sites = [] if sites is None else sites
        self.reports: dict[str, CellProgress] = {}
        self.board = start_board()
        self._order: Order | None = None

    def close(self) -> None:
        """Ends the board: a driver may live on, and begin the next run."""
        with contextlib.suppress(RayError):  # it is gone with its cluster
            ray.kill(self.board)

    def read(self, data: Chosen, resize: int, on_event: OnEvent) -> Snapshot:
        """On a Ray of our own in this process.

        On a cluster nothing is decoded here: the data set is taken as decoded here before, or, if it is not on this
        machine, as in the store; otherwise a node reads it.
        """

        def look(posted: Posted) -> None:
            for reading in posted.readings.values():
                on_event(reading)

        if self.cluster.own:

            def progress(done: int, total: int) -> None:
                on_event(Reading(data.bound_name, "reading", done, total))

            return open_source(data, self.places, resize=resize, processes=None, progress=progress).snapshot
        known = self._known(data)
        if known is not None:
            return known
        if unbound := self.places.unbound(data):
            raise DataError(unbound)  # nodes get the same places
        on_event(Reading(data.bound_name, "waiting for a node", 0, 0))
        with Watch(self.board, look):
            return self._read_on_a_node(data, resize, on_event)

    def _known(self, data: Chosen) -> Snapshot | None:
        listing = listing_of(data, self.places)
        if not listing:
            known = known_snapshot(data, self.places)
            if known is not None:
                return known
        if listing is None or self.read_again or (not listing and is_here(data, self.places)):
            return None
        try:
            known = self.store.snapshot_of(data_key(data), listing)
        except StorageError as error:
            self.note(f"data set {data.bound_name}: {error}")
            return None
        if known is not None and not listing:
            self.note(
                f"data set {data.bound_name}: it is not on this machine; planned as an earlier run read it, which the "
                "nodes that compute compare with what they have (--read-again: a node reads it first)"
            )
        return known

    def _read_on_a_node(self, data: Chosen, resize: int, on_event: OnEvent) -> Snapshot:
        """Asks for a node, and for another one if that lacks the data."""
        asked, tried = {"CPU": 1.0, **self.cluster.options.custom}, list[str]()
        while True:
            labels = avoiding(self.cluster.options.labels, tried)
            task = {"num_cpus": 1, "resources": dict(self.cluster.options.custom), "label_selector": labels}
            read = cast(Any, ray.remote)(**task)(read_here)
            node, result = ray.get(read.remote(data, resize, self.places, self.board))
            self.report_notes()
            if isinstance(result, bytes):
                return Snapshot.from_bytes(result)
            tried.append(node)
            others = offer(without=tried).fitting(asked, self.cluster.options.labels)
            if len(tried) >= MOST_NODES_TRIED or not others:
                raise result
            on_event(Note(f"data set {data.bound_name}: {result} (on one node; looked for on another)"))

    def at_once(self, tasks: Sequence[StoredCell]) -> int:
        fitting = (self.cluster.at_once(task.cell.config.training, workers_of(task)) for task in tasks)
        return max(1, min([self.max_concurrent or len(tasks), *fitting]))

    def waiting(self, tasks: Sequence[StoredCell]) -> str:
        """``2 GPU cells wait for nodes; the cluster has 0 of 4 GPUs``; empty if none waits for nodes."""
        open_tasks = [task for task in tasks if not self._ended(task) and self._may_begin(task)]
        begun = [task for task in open_tasks if self._begun(task)]
        waiting = open_tasks[: self.max_concurrent or len(open_tasks)]
        waiting = [task for task in waiting if not self._begun(task)]
        if self.cluster.own or not waiting:
            return ""
        there = offer()
        if not there.grows and any(
            there.fitting(self._asked(one), self.cluster.options.labels, True) >= workers_of(one) for one in waiting
        ):
            return ""  # they wait for each other
        kind = self.cluster.kind
        wanted = sum(self._asked(task).get(kind, 0.0) * workers_of(task) for task in [*begun, *waiting])
        has = there.most(kind, now=True)
        if has >= wanted:
            return ""
        cells = "cell waits" if len(waiting) == 1 else "cells wait"
        return f"{len(waiting)} {kind} {cells} for nodes; the cluster has {has:g} of {wanted:g} {kind}s"

    def _asked(self, task: StoredCell) -> dict[str, float]:
        return self.cluster.bundle(task.cell.config.training, workers_of(task))

    def _begun(self, task: StoredCell) -> bool:
        report = self.reports.get(task.cell.key)
        return report is not None and report.stage != WAITING

    def _may_begin(self, task: StoredCell) -> bool:
        return self._order is None or bool(self._order.may_begin(task.cell.key))

    def _ended(self, task: StoredCell) -> bool:
        report = self.reports.get(task.cell.key)
        return report is not None and report.ended

    def compute(self, tasks: Sequence[StoredCell], site: Site, changed: Callable[[], None], order: Order) -> None:
        leaving, self._order = frozenset[str](), order
        self.sites.append(site)

        def look(posted: Posted) -> None:
            nonlocal leaving
            self._hear(posted)
            changed()
            if not self.cluster.own and (now := nodes_that_leave()) != leaving:
                leaving = now
                self.board.ask.remote(False, leaving)

        def on_end(cell: str, failed: str | None, fault: str | None) -> None:
            now = time.time()
            report = self.reports.get(cell, CellProgress(now, now))
            self.reports[cell] = replace(report, stage="ended", changed=now, progress=None, failed=failed, error=fault)

        trials = Trials(site, self.cluster, self.board, on_end, self.note, order, self.max_concurrent)
        with Watch(self.board, look):
            try:
                trials.run(tasks)
            except KeyboardInterrupt:
                self.leave()
                raise
        self.report_notes()

    def report_notes(self) -> None:
        """Passes on the notes of processes up to now; a lost board has none."""
        with contextlib.suppress(RayError):
            cast(Posted, ray.get(self.board.read.remote(), timeout=LEAVING_SECONDS)).report_notes()

    def leave(self) -> None:
        """Lets running cells save a checkpoint and end, within a limit; another interrupt ends at once."""
        until = time.monotonic() + LEAVING_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(RayError):  # a lost board is restarted, and asked again
                ray.get(self.board.ask.remote(True, frozenset()), timeout=LEAVING_SECONDS)
                posted: Posted = ray.get(self.board.read.remote(), timeout=LEAVING_SECONDS)
                if all(one.stage not in ("pretraining", "fine-tuning") for one in posted.cells.values()):
                    return
            time.sleep(0.1)

    def _hear(self, posted: Posted) -> None:
        """The latest report counts: Tune may have reported an end, and a lost board its reports with it."""
        for cell, report in posted.cells.items():
            known = self.reports.get(cell)
            if known is None or report.changed > known.changed:
                self.reports[cell] = report
