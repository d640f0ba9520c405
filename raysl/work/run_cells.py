"""A whole run: computes what the store lacks of the requested cells, here or on a cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from raysl.config.cells import Cell, evaluation_key, unique_cells
from raysl.config.component import Chosen
from raysl.config.evaluation import EvaluationConfig
from raysl.data.places import Places
from raysl.data.snapshot import DataHashes, Snapshot, data_key
from raysl.errors import ConfigError, ObstructedError
from raysl.evaluation.against_data import check_against_data
from raysl.notes import heard
from raysl.results import Shelf, Store, StoredCell
from raysl.results.folder import HEARTBEAT_LIMIT
from raysl.work.claims import CLAIMED, living
from raysl.work.events import CellProgress, Note, OnEvent, Overview, Phase
from raysl.work.order import Order, folder_name, in_order, not_done
from raysl.work.overview import overview
from raysl.work.site import ReadData, Site, needed_data, read_data
from raysl.work.workers import WorkerOptions

CHECK_SECONDS = 5.0
"""Seconds between two checks that another run still works on what this one waits for."""

DATA_PHASE, CELLS_PHASE = "data", "pretraining and evaluation"


class Backend(Protocol):
    """What computes: this process (`Here`), or a cluster."""

    @property
    def reports(self) -> Mapping[str, CellProgress]:
        """The latest report of each running cell, by `Cell.key`."""

    def read(self, data: Chosen, resize: int, on_event: OnEvent) -> Snapshot:
        """Reads a data set on a machine that has it.

        Raises:
            DataError, NodeFault: it cannot be read.
        """

    def at_once(self, tasks: Sequence[StoredCell]) -> int:
        """How many cells run at the same time."""

    def waiting(self, tasks: Sequence[StoredCell]) -> str:
        """What cells wait for, where no more of them can begin before that comes; empty otherwise."""

    def compute(self, tasks: Sequence[StoredCell], site: Site, changed: Callable[[], None], order: Order) -> None:
        """Computes what is missing of each cell; how each ended is in `reports`. Calls ``changed`` from time to time.

        A cell begins when ``order`` allows it, and is skipped if it never may.
        """


@dataclass(frozen=True)
class RunOptions:
    """Options of a run.

    Attributes:
        address: of a running Ray cluster; one is started on this machine, and stopped at the end, where None.
        retry_failed: what failed before is computed again.
        read_again: data sets that are not on this machine are read by a node, though the store has them.
        max_concurrent: cells or trials at the same time, at most; None: as many as fit.
        workers: what each DDP worker gets.
        dashboard: a Ray that is started on this machine has its dashboard.
        tune_dir: folder or bucket in which Tune's own files are kept, for Tune's tools.
    """

    address: str | None = None
    retry_failed: bool = False
    max_concurrent: int | None = None
    workers: WorkerOptions = field(default_factory=WorkerOptions)
    dashboard: bool = False
    tune_dir: str | None = None
    read_again: bool = False


AS_IT_FITS = RunOptions()


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    Attributes:
        done: titles of the cells that are complete.
        failed: title to reason, of cells that failed or have an evaluation that did; kept in the store.
        missing: title to reason, of the others.
        computed: titles of the cells that this run worked on.
        seconds: by phase.
        data: hashes of the data sets as the run read them.
        took: cells that this run computed from their beginning to their end, as the store had them before, each with
            the seconds that it took.
    """

    done: tuple[str, ...]
    failed: Mapping[str, str]
    missing: Mapping[str, str]
    computed: tuple[str, ...]
    seconds: Mapping[str, float] = field(default_factory=dict)
    data: Mapping[str, DataHashes] = field(default_factory=dict)
    took: tuple[tuple[StoredCell, float], ...] = ()


def run_cells(
    cells: Sequence[Cell],
    store: Store,
    places: Places,
    backend: Backend,
    *,
    retry_failed: bool = False,
    on_event: OnEvent = lambda event: None,
) -> RunOutcome:
    """Computes what is missing of the cells; what fails leaves the rest alone.

    Args:
        cells: with their evaluations; what they start from and what their evaluations train is computed too, each as
            soon as the cell that it starts from is done.
        retry_failed: what failed before is computed again.
        on_event: called with each event, from this thread and from one that watches.

    Raises:
        StorageError: the store cannot be read or written.
    """
    with heard(lambda text: on_event(Note(text))):
        return _Run(unique_cells(cells), store, places, backend, retry_failed, on_event).run()


@dataclass
class _Run:
    cells: Sequence[Cell]
    store: Store
    places: Places
    backend: Backend
    retry_failed: bool
    on_event: OnEvent
    seconds: dict[str, float] = field(default_factory=dict)
    _noted_claims: set[str] = field(default_factory=set)
    _began: float = field(default_factory=time.time)

    def run(self) -> RunOutcome:
        with self._phase(DATA_PHASE):
            data = read_data(needed_data(self.cells), self.store, self.places, self._read, self._note)
        site = Site(self.store, self.places, data.hashes)
        found = self._find(site)
        if sum(self._take_back(one) for one in found):
            found = self._find(site)
        if self.retry_failed:
            refuse_what_data_cannot_fill(found, data, failed=True)
            for one in found:
                reopen(one)
            found = self._find(site)
        refuse_what_data_cannot_fill([one for one in found if one.own == "missing"], data)
        worked_on, computed = set[str](), list[StoredCell]()
        while tasks := self._open(found, site, data, worked_on):
            known = {one.cell.key: one for one in found}
            mine, starts = in_order([task for task in tasks if not self._is_of_another_run(task, site)], known)
            if not mine:
                self._wait(tasks, found)
            else:
                self._compute(mine, found, site, Order(mine, starts, site))
                # What never began is open still: another run may have what it starts from.
                begun = [task for task in mine if task.cell.key in self.backend.reports or task.cell.key not in starts]
                computed += begun
                worked_on |= {str(folder_name(task)) for task in begun} - self._left_to_others(begun)
            found = self._find(site)
        return replace(self._outcome(found, worked_on, data), took=tuple(self._took(computed)))

    def _open(self, found: list[StoredCell], site: Site, data: ReadData, worked_on: set[str]) -> list[StoredCell]:
        """What can be computed, or can once others of it are done.

        What this run tried itself ended as it must; what another run has is waited for, and taken up if it dies.
        """
        known = {one.cell.key: one for one in found}
        missing = [one for one in found if one.own == "missing" and can_advance(one, data)]
        tasks = [task for task in _once_a_folder(missing, site) if folder_name(task) not in worked_on]
        return in_order(tasks, known)[0]

    def _wait(self, tasks: list[StoredCell], found: list[StoredCell]) -> None:
        """Says that all that is open is with other runs, and gives them some time."""
        self.on_event(self._overview(tasks, found, f"{len(tasks)} with another run"))
        time.sleep(CHECK_SECONDS)

    def _is_of_another_run(self, task: StoredCell, site: Site) -> bool:
        name = str(folder_name(task))
        holders = living(site.store, name, site.run)
        if holders and name not in self._noted_claims:
            self._noted_claims.add(name)
            self._note(
                f"{task.cell.title}: another run ({holders[0].run}) works on it; it is left to that run, and computed "
                f"here if that run gives no sign of life for {HEARTBEAT_LIMIT:.0f} s"
            )
        return bool(holders)

    def _left_to_others(self, tasks: list[StoredCell]) -> set[str]:
        """Folders of cells that another run has claimed meanwhile."""
        reports = {folder_name(task): self.backend.reports.get(task.cell.key) for task in tasks}
        return {str(name) for name, one in reports.items() if one is not None and one.error and CLAIMED in one.error}

    def _read(self, data: Chosen, resize: int) -> Snapshot:
        return self.backend.read(data, resize, self.on_event)

    def _find(self, site: Site) -> list[StoredCell]:
        shelf = Shelf(site.store, site.data)
        return [shelf.find(cell) for cell in self.cells]

    def _take_back(self, found: StoredCell) -> int:
        """Removes evaluations with predictions that differ from those that were stored; returns how many."""
        folder, damaged = found.folder, 0
        for one in found.evaluations if folder is not None else ():
            if one.status != "done" or one.name is None or folder is None or one.behind is not None:
                continue
            try:
                if folder.predictions(one.name, dict(one.record or {})) is None:
                    folder.clear_evaluation(one.name)
                    damaged += 1
                    path = f"cells/{folder.name}/evaluations/{one.name}.parquet"
                    self._note(f"{found.cell.title}: {path} is damaged; evaluation {one.label} is computed anew")
            except ObstructedError as error:
                self._note(f"{found.cell.title}: {error}")
        return damaged

    def _compute(self, tasks: list[StoredCell], found: list[StoredCell], site: Site, order: Order) -> None:
        for task in tasks:
            self._prepare(task)
        shown = set[str]()

        def changed() -> None:
            reports = dict(self.backend.reports)
            self._note_ended(reports, tasks, shown)
            self.on_event(self._overview(tasks, found, self.backend.waiting(tasks)))

        with self._phase(CELLS_PHASE):
            self.backend.compute(tasks, site, changed, order)
            changed()

    def _overview(self, tasks: list[StoredCell], found: list[StoredCell], waiting: str) -> Overview:
        """The cells ``tasks``, and those of ``found`` that were done or failed before."""
        known, named = {one.cell.key: one for one in found}, {folder_name(task) for task in tasks}
        return overview(
            dict(self.backend.reports),
            tasks,
            done_before=sum(one.own == "done" for one in found),
            failed_before=sum(one.own == "failed" for one in found),
            later=sum(_may_follow(one, known) for one in found if folder_name(one) not in named),
            at_once=self.backend.at_once(tasks),
            now=time.time(),
            began=self._began,
            waiting=waiting,
        )

    def _prepare(self, task: StoredCell) -> None:
        """A broken folder's markers are taken back, so that it is computed anew."""
        if task.state.status == "broken" and task.folder is not None:
            self._note(f"{task.cell.title}: its folder is broken: {task.state.reason}")
            task.folder.reopen()
        if task.state.status == "missing" and task.folder is not None and task.folder.state().status == "failed":
            self._note(f"{task.cell.title}: {task.state.reason}; computed again")
            task.folder.clear_failure()
        for one in task.to_compute:
            if one.fault is not None:
                self._note(f"{task.cell.title}: evaluation {one.label}: {one.fault.reason}")
        if task.elsewhere and task.state.status == "missing":
            self._note(f"{task.cell.title}: {task.elsewhere}; computed on this")

    def _note_ended(self, reports: Mapping[str, CellProgress], tasks: list[StoredCell], shown: set[str]) -> None:
        for task in tasks:
            one = reports.get(task.cell.key)
            if one is not None and one.ended and task.cell.key not in shown:
                shown.add(task.cell.key)
                if one.error is not None and CLAIMED in one.error:
                    self._note(f"{task.cell.title}: {one.error}; it is left to that run")
                elif one.error is not None:
                    self._note(f"{task.cell.title}: ended without a result: {one.error}")
                elif one.failed is not None:
                    self._note(f"{task.cell.title}: failed: {one.failed}")

    def _outcome(self, found: list[StoredCell], worked_on: set[str], data: ReadData) -> RunOutcome:
        missing: dict[str, str] = {}
        known = {one.cell.key: one for one in found}
        for one in found:
            if one.own == "missing":
                report = self.backend.reports.get(one.cell.key)
                reason = (report.error if report is not None else None) or _waits(one, known) or blocked(one, data)
                reason = reason or one.reason
                if not reason and folder_name(one) in worked_on:
                    reason = "it ended, and the store does not have it: does its node write to the same store?"
                missing[one.cell.title] = reason
        return RunOutcome(
            done=tuple(one.cell.title for one in found if one.own == "done"),
            failed={one.cell.title: one.reason for one in found if one.own == "failed"},
            missing=missing,
            computed=tuple(one.cell.title for one in found if folder_name(one) in worked_on),
            seconds=self.seconds,
            data=data.hashes,
        )

    def _took(self, tasks: Sequence[StoredCell]) -> Iterator[tuple[StoredCell, float]]:
        for task in tasks:
            report = self.backend.reports.get(task.cell.key)
            begun_before = task.state.status not in ("missing", "done")
            if (
                report is not None
                and report.ended
                and not begun_before
                and report.failed is None
                and report.error is None
            ):
                yield task, report.changed - report.started

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


def _waits(found: StoredCell, known: Mapping[str, StoredCell]) -> str:
    """Why a cell cannot begin before the one that it starts from; empty where it starts from none, or that is done."""
    begun = not_done(found, known)
    if begun is None:
        return ""
    return f"it starts from {begun.cell.title} ({begun.cell.id}), which is {begun.state.status}" + (
        f": {begun.state.reason}" if begun.state.reason else ""
    )


def _may_follow(found: StoredCell, known: Mapping[str, StoredCell]) -> bool:
    """Whether a cell waits for another that has not failed."""
    begun = not_done(found, known)
    return begun is not None and begun.state.status != "failed"


def _once_a_folder(tasks: Sequence[StoredCell], site: Site) -> list[StoredCell]:
    """One task for cells that turn out to be the same, since two names of data sets are bound to equal files."""
    alike: dict[str | None, list[StoredCell]] = {}
    for task in tasks:
        alike.setdefault(folder_name(task), []).append(task)
    merged = []
    for group in alike.values():
        ones = [one for task in group for one in task.evaluations]
        # Two that train other cells may have equal names: they are evaluated in the same way.
        named = {evaluation_key(one.config) if one.behind is not None else one.name: one.config for one in ones}
        cell = replace(group[0].cell, evaluations=tuple(named.values()))
        merged.append(group[0] if len(group) == 1 else site.shelf.find(cell))
    return merged


def reopen(found: StoredCell) -> None:
    """Takes failures back, so that what failed is computed again."""
    if found.folder is None:
        return
    if found.state.status == "failed":
        found.folder.clear_failure()
    for one in found.evaluations:
        if one.status == "failed" and one.name is not None and one.behind is None:
            found.folder.clear_evaluation(one.name)


def refuse_what_data_cannot_fill(tasks: Sequence[StoredCell], data: ReadData, *, failed: bool = False) -> None:
    """Refuses a run if its data shows that cells or evaluations must fail, before money is spent.

    Args:
        failed: about what failed before instead of what is missing.

    Raises:
        ConfigError: each reason once, with the cells that it is for.
    """
    problems: dict[str, list[str]] = {}
    for task in tasks:
        own = [one for one in task.evaluations if one.status == "failed" and one.behind is None]
        wanted = own if failed else task.to_compute
        asked: list[tuple[Chosen, EvaluationConfig | None]] = [(one.config.data, one.config) for one in wanted]
        if task.state.status == "failed" if failed else task.to_train:
            asked.append((task.cell.config.data, None))
        for chosen, evaluation in asked:
            snapshot = data.snapshots.get(data_key(chosen))
            if snapshot is None:
                continue
            try:
                check_against_data(task.cell.config, evaluation, snapshot)
            except ConfigError as error:
                problems.setdefault(str(error), []).append(task.cell.title)
    if problems:
        lines = [f"{error} (asked by {titles[0]}{_and_more(titles)})" for error, titles in problems.items()]
        raise ConfigError("; ".join(lines))


def _and_more(titles: Sequence[str]) -> str:
    return f" and {len(titles) - 1} more" if len(titles) > 1 else ""


def can_advance(found: StoredCell, data: ReadData) -> bool:
    """Whether anything that is missing can be computed with the data sets that could be read."""
    if found.state.by_hand:
        return False
    if found.to_train:
        return data.can_read(found.cell.config.data)
    if found.state.status != "done":
        return True
    return any(data.can_read(one.config.data) for one in found.to_compute)


def blocked(found: StoredCell, data: ReadData) -> str:
    """Why data that a cell still has to read is not there; empty where all of it is."""
    sets = [one.config.data for one in found.missing]
    keys = dict.fromkeys(data_key(one) for one in ([found.cell.config.data, *sets] if found.to_train else sets))
    return "; ".join(data.unavailable[key] for key in keys if key in data.unavailable)
