"""A whole run: what studies ask for and the store lacks is computed on a cluster."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import ray

from raysl.data.places import Places
from raysl.engine.board import Entry, start_board
from raysl.engine.cell_job import CellJob
from raysl.engine.cluster import Cluster, cluster
from raysl.engine.pending import Look, can_advance, job, look, reopen, uses_workers
from raysl.engine.prepare import Prepared, prepare_data
from raysl.engine.progress import Note, OnEvent, Phase, Reading, Watch, snapshot
from raysl.engine.trials import run_trials
from raysl.planning.plan import Work
from raysl.results import Store

DATA_PHASE, CELLS_PHASE = "data", "pretraining and evaluation"


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    Attributes:
        done: titles of the cells that are complete.
        failed: title to reason, of cells that failed or have an evaluation that did; kept in the store.
        missing: title to reason, of the others.
        computed: titles of the cells that this run worked on.
        seconds: by phase.
    """

    done: tuple[str, ...]
    failed: dict[str, str]
    missing: dict[str, str]
    computed: tuple[str, ...]
    seconds: dict[str, float] = field(default_factory=dict)


def run_studies(
    work: Sequence[Work],
    store: Store,
    places: Places,
    *,
    address: str | None = None,
    retry_failed: bool = False,
    on_event: OnEvent = lambda event: None,
    max_concurrent: int | None = None,
) -> RunOutcome:
    """Computes what is missing of the work; what fails leaves the rest alone.

    An interrupt (Ctrl-C) stops the workers and goes on upwards; the next run continues from the store.

    Args:
        work: distinct cells with their evaluations.
        address: of a running Ray cluster; one is started on this machine, and stopped at the end, where None.
        retry_failed: what failed before is computed again.
        on_event: told what goes on, from this thread and from one that watches.
        max_concurrent: cells beside each other, at most; as many as fit where None.

    Raises:
        RayslError: nothing was begun: the store cannot be written, there is no such cluster, or a cell asks for more
            workers than there are CPUs.
    """
    store.check_writable()
    several = any(item.cell.training.workers > 1 and uses_workers(item) for item in work)
    with cluster(address, dashboard=several) as on:
        return _Run(work, store, places, on, retry_failed, on_event, max_concurrent).run()


@dataclass
class _Run:
    work: Sequence[Work]
    store: Store
    places: Places
    cluster: Cluster
    retry_failed: bool
    on_event: OnEvent
    max_concurrent: int | None
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self) -> RunOutcome:
        for item in self.work:
            if uses_workers(item):
                self.cluster.check_workers(item.cell.training.workers, item.title)
        if len(self.cluster.nodes) > 1 and "://" not in self.store.place.shown:
            self._note(f"the store is the folder {self.store.place.shown}: all nodes must see it under this path")
        board = start_board()
        with self._phase(DATA_PHASE), Watch(board, self._tell_reading):
            prepared = prepare_data(self.work, self.store, self.places, self.cluster, board, self._note)
        looks = self._look(prepared)
        if self.retry_failed:
            for found in looks:
                reopen(found)
            looks = self._look(prepared)
        to_do = [found for found in looks if found.verdict == "missing" and can_advance(found, prepared)]
        errors = self._compute(to_do, looks, prepared, board) if to_do else {}
        return self._outcome(self._look(prepared) if to_do else looks, to_do, errors)

    def _look(self, prepared: Prepared) -> list[Look]:
        return [look(item, self.store, prepared) for item in self.work]

    def _compute(self, to_do: list[Look], looks: list[Look], prepared: Prepared, board: Any) -> dict[str, str]:
        """Cell id to why it ended without a result."""
        jobs = [self._job(found, prepared) for found in to_do]
        done = sum(found.verdict == "done" for found in looks)
        failed = sum(found.verdict == "failed" for found in looks)
        at_once = min([self.max_concurrent or len(jobs), *(self.cluster.at_once(job.workers) for job in jobs)])
        began = time.time()
        seen: set[str] = set()

        def tell(entries: dict[str, Entry]) -> None:
            self._tell_ended(entries, jobs, seen)
            self.on_event(snapshot(entries, jobs, done, failed, at_once, time.time(), began))

        with self._phase(CELLS_PHASE):
            with Watch(board, tell):
                lost = run_trials(jobs, self.store, self.cluster, board, self.max_concurrent)
            entries: dict[str, Entry] = ray.get(board.read.remote())
            tell(entries)
        said = {job.id: str(entries[job.id]["error"]) for job in jobs if entries.get(job.id, {}).get("error")}
        return {**lost, **said}

    def _job(self, found: Look, prepared: Prepared) -> CellJob:
        state = found.state
        if state is not None and state.status == "running":
            self._note(f"{found.item.title}: another run seems to be at work on it; computed here too")
        if state is not None and state.status == "broken":
            self._note(f"{found.item.title}: its folder is broken ({state.reason}); computed anew")
        return job(found, self.store, self.places, prepared)

    def _tell_ended(self, entries: dict[str, Entry], jobs: list[CellJob], seen: set[str]) -> None:
        for one in jobs:
            entry = entries.get(one.id, {})
            if entry.get("stage") == "ended" and one.id not in seen:
                seen.add(one.id)
                if entry.get("error"):
                    self._note(f"{one.title}: ended without a result: {entry['error']}")
                elif entry.get("failed"):
                    self._note(f"{one.title}: failed: {entry['failed']}")

    def _tell_reading(self, entries: dict[str, Entry]) -> None:
        for name, entry in entries.items():
            if entry.get("stage") in ("making", "reading"):
                done, total = entry.get("done", 0), entry.get("total", 0)
                self.on_event(Reading(name.removeprefix("data/"), str(entry["stage"]), done, total))

    def _outcome(self, looks: list[Look], to_do: list[Look], errors: dict[str, str]) -> RunOutcome:
        missing: dict[str, str] = {}
        worked_on = {found.item.id for found in to_do}
        for found in looks:
            if found.verdict == "missing":
                reason = errors.get(found.item.id) or found.reason
                if not reason and found.item.id in worked_on:
                    reason = "it ended, and the store does not have it: does its node write to the same store?"
                missing[found.item.title] = reason
        return RunOutcome(
            done=tuple(found.item.title for found in looks if found.verdict == "done"),
            failed={found.item.title: found.reason for found in looks if found.verdict == "failed"},
            missing=missing,
            computed=tuple(found.item.title for found in to_do),
            seconds=self.seconds,
        )

    def _note(self, text: str) -> None:
        self.on_event(Note(text))

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        self.on_event(Phase(name))
        try:
            yield
        finally:
            self.seconds[name] = time.perf_counter() - started
            self.on_event(Phase(name, self.seconds[name]))
