"""Cells computed on this machine without Ray: in this process, or in several at the same time."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, set_forkserver_preload

import torch

from raysl.config.cells import Cell
from raysl.config.component import Chosen
from raysl.data.places import Places
from raysl.data.snapshot import Snapshot
from raysl.data.source import open_source
from raysl.distributed import cpus_of_rank
from raysl.errors import RayslError, StoreLostError
from raysl.machine import PROCESSES, ready_for_processes
from raysl.notes import collect, said, say_once
from raysl.results import StoredCell
from raysl.signals import leave_ending_to_parent, leave_requested
from raysl.training.progress import Progress
from raysl.work.compute import OnStage, compute_cell
from raysl.work.events import CellProgress, OnEvent, Reading
from raysl.work.order import Order
from raysl.work.site import Site

ENDING_SECONDS = 20.0
"""Seconds for a process to leave its cell in order: it finishes its current step first."""


class Here:
    """Computes on this machine without Ray: in this process, one cell after the other, on the threads that it has.

    Cells that ask for several DDP workers are trained on one: the same global batch, so the same cell.

    Args:
        processes: if more than one, this many cells at the same time, each in a process; they share the CPUs.
    """

    def __init__(self, places: Places, processes: int = 1) -> None:
        self.places, self.processes = places, processes
        if processes > 1:
            # What a cell needs is imported once, in the server that its process is forked from; those that decode are
            # too (`manifest_pool`).
            set_forkserver_preload([__name__, "torchvision.transforms.v2"])
        self.reports: dict[str, CellProgress] = {}

    def read(self, data: Chosen, resize: int, on_event: OnEvent) -> Snapshot:
        def progress(done: int, total: int) -> None:
            on_event(Reading(data.bound_name, "reading", done, total))

        return open_source(data, self.places, resize=resize, processes=None, progress=progress).snapshot

    def at_once(self, tasks: Sequence[StoredCell]) -> int:
        return min(self.processes, len(tasks))

    def waiting(self, tasks: Sequence[StoredCell]) -> str:
        return ""

    def compute(self, tasks: Sequence[StoredCell], site: Site, changed: Callable[[], None], order: Order) -> None:
        if self.processes > 1:
            self._compute_beside(list(tasks), site, changed, order)
            return
        for task in tasks:
            if not order.may_begin(
                task.cell.key
            ):  # each comes after the cell that it starts from, which has ended without a result
                continue
            report = self._begin(task)

            def on_stage(stage: str, progress: Progress | None, report: CellProgress = report) -> None:
                now = time.time()
                report.staged = now if stage != report.stage else report.staged
                report.stage, report.progress, report.changed = stage, progress, now
                changed()

            _end(report, *_compute(task.cell, site, on_stage))
            order.end(task.cell.key)
            changed()
            if leave_requested():
                raise KeyboardInterrupt

    def _begin(self, task: StoredCell) -> CellProgress:
        report = self.reports[task.cell.key] = CellProgress(time.time(), time.time())
        return report

    def _compute_beside(self, waiting: list[StoredCell], site: Site, changed: Callable[[], None], order: Order) -> None:
        """A process that dies takes the cells under work with it; the others go on in a new pool."""
        threads = max(1, cpus_of_rank() // self.processes)
        while waiting:
            ready_for_processes()
            with ProcessPoolExecutor(self.processes, PROCESSES, _begin_process, (threads,)) as pool:
                try:
                    self._work_through(pool, waiting, site, changed, order)
                except BrokenProcessPool:
                    for key, report in self.reports.items():
                        if not report.ended:
                            _end(
                                report,
                                None,
                                "its process, or another one of the run, died: it may have run out of memory",
                            )
                            order.end(key)
                    changed()
                except BaseException:  # an interrupt, above all: the pool itself would wait for the cells' ends
                    _end_processes(pool)
                    raise

    def _work_through(
        self,
        pool: ProcessPoolExecutor,
        waiting: list[StoredCell],
        site: Site,
        changed: Callable[[], None],
        order: Order,
    ) -> None:
        running: dict[Future[tuple[str | None, str | None, tuple[str, ...]]], StoredCell] = {}
        while waiting or running:
            while len(running) < self.processes and (task := _next(waiting, order)) is not None:
                running[pool.submit(_compute_apart, task.cell, site)] = task
                self._begin(task)
                waiting.remove(task)
            changed()
            for ended in wait(running, timeout=1.0, return_when=FIRST_COMPLETED).done:
                failed, error, notes = ended.result()
                say_once(*notes)
                key = running.pop(ended).cell.key
                _end(self.reports[key], failed, error)
                order.end(key)


def _next(waiting: list[StoredCell], order: Order) -> StoredCell | None:
    """The first that may begin; those that never may are taken out."""
    waiting[:] = [task for task in waiting if order.may_begin(task.cell.key) is not None]
    return next((task for task in waiting if order.may_begin(task.cell.key)), None)


def _end_processes(pool: ProcessPoolExecutor) -> None:
    """Ends the processes with their cells in order, so that these count as interrupted at once."""
    processes = active_children()
    for process in processes:
        process.terminate()
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.join(ENDING_SECONDS)
        process.kill()


def _end(report: CellProgress, failed: str | None, error: str | None) -> None:
    report.failed, report.error = failed, error
    report.stage, report.progress, report.changed = "ended", None, time.time()


def _begin_process(threads: int) -> None:
    leave_ending_to_parent()
    collect()
    os.environ["OMP_NUM_THREADS"] = str(threads)  # `cpus_of_rank` reads it for each cell
    torch.set_num_threads(threads)


def _compute_apart(cell: Cell, site: Site) -> tuple[str | None, str | None, tuple[str, ...]]:
    """`_compute` in a process of a pool, and its notes; the process ends with its cell if its parent requested that."""
    try:
        failed, error = _compute(cell, site)
    finally:
        if leave_requested():
            os._exit(128 + signal.SIGTERM)  # the parent no longer waits for results, and the pool would wait for jobs
    return failed, error, said()


def _compute(cell: Cell, site: Site, on_stage: OnStage = lambda stage, progress: None) -> tuple[str | None, str | None]:
    """Why the cell failed, as its result, and why it ended without one."""
    try:
        return compute_cell(cell, site, on_stage), None
    except StoreLostError:  # the next cell could not be stored either
        raise
    except RayslError as error:
        return None, str(error)
    finally:
        _collect()


def _collect() -> None:
    """Freezes what a process has imported by the end of its first cell: collecting garbage there takes 0.3 s a cell."""
    gc.collect()
    if not gc.get_freeze_count():
        gc.freeze()
        atexit.register(gc.unfreeze)  # or extensions that count their objects report them as leaked
