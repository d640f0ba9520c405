"""The jobs of a trial's processes: computing one cell, alone or on every rank of a crew. Imports PyTorch."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache

import ray
from ray.util.metrics import Gauge

from raysl.config.cells import Cell
from raysl.distributed import alone_on_first_rank, is_of_all_ranks, of_all_ranks, on_every_rank
from raysl.engine.cells.crew import Done, Worker
from raysl.engine.progress.board import Post
from raysl.errors import LeftError, NodeFault, RayslError, StorageError, StoreLostError
from raysl.evaluation.evaluate import reads_network
from raysl.signals import ask_to_leave
from raysl.training.progress import Progress
from raysl.work.claims import ClaimedError, claimed
from raysl.work.compute import compute_cell, evaluate_cell, pretrain_cell
from raysl.work.site import Site

MOST_REPORTS = 20
"""Seconds between a cell's reports to Ray; people follow the board."""

MORE_SECONDS = 60.0
"""A cell with less training left keeps its workers: starting more takes some 20 s."""


@dataclass(frozen=True)
class Job:
    """A cell to compute.

    Attributes:
        post: where it reports its progress.
    """

    cell: Cell
    site: Site
    post: Post


def packed(cell: Cell, site: Site, post: Post) -> bytes:
    """A pickled job: processes that pass it on need not import its classes."""
    return pickle.dumps(Job(cell, site, post))


def alone(content: bytes, report: Callable[[float, dict[str, float]], None]) -> Done:
    """Trains and evaluates in this process.

    Raises:
        RayslError: as `compute_cell`, except for faults of this node, which are returned.
    """
    job: Job = pickle.loads(content)
    job.post.listen()
    due, more = _Due(), _More(job, workers=1)

    def on_stage(stage: str, progress: Progress | None) -> None:
        job.post.stage(stage, progress)
        gauge(job.cell, progress)
        if stage == job.cell.stage and progress is not None:
            more(progress)
            if due(progress):
                report(float(progress.step), numbers(progress))

    try:
        with job.post.notes():
            return Done(compute_cell(job.cell, job.site, on_stage))
    except (LeftError, ClaimedError) as left:
        return Done(fault=str(left), more=more.left_for(left))
    except NodeFault as fault:
        return left_by(fault)


def together(content: bytes, worker: Worker) -> Done:
    """The job of every rank of a crew; rank 0 evaluates frozen features while the others wait for the next job.

    Raises:
        RayslError: one that may pass, or that only one rank met: all ranks are restarted.
    """
    job: Job = pickle.loads(content)
    job.post.listen()
    first, due, more = worker.rank == 0, _Due(), _More(job, workers=len(worker.nodes))

    def on_progress(progress: Progress) -> None:
        if first:
            job.post.stage(job.cell.stage, progress)
            gauge(job.cell, progress)
            more(progress)
        if due(progress):
            worker.report(float(progress.step), {"step": float(progress.step), **numbers(progress)})

    def on_reading(text: str) -> None:
        job.post.stage(text, None)

    with job.post.notes(), ExitStack() as stack:
        try:
            claim = claimed(job.site.store, job.site.folder(job.cell).name, job.site.run)
            on_every_rank(lambda: stack.enter_context(claim) if first else None)
            if first:
                job.post.stage(job.cell.stage, None)
            failed = pretrain_cell(job.cell, job.site, on_progress, on_reading=on_reading)
            return Done(failed) if failed is not None else _evaluate(job, first)
        except RayslError as error:  # LeftError, ClaimedError, and what the store or this node could not do
            return replace(left_by_all(error, worker), more=more.left_for(error))


def left_by_all(error: RayslError, worker: Worker) -> Done:
    """As `left_by`, on every rank of a crew.

    Raises:
        RayslError: the error itself, if it may pass or only some ranks met it: all of them are restarted.
    """
    if getattr(error, "may_pass", False) or not is_of_all_ranks(error):
        raise error
    return left_by(error, worker.nodes)


def left_by(error: RayslError, nodes: Sequence[str] = ()) -> Done:
    """What is returned instead of a result.

    Args:
        nodes: ids of the nodes of each rank; empty if this process is the only one.
    """
    unfit: frozenset[int] = getattr(error, "unfit", frozenset())
    if unfit and not nodes:
        nodes = [ray.get_runtime_context().get_node_id()]
    not_here = tuple(sorted({nodes[one] for one in unfit}))
    return Done(fault=str(error), not_here=not_here, store_lost=isinstance(error, StoreLostError))


def _evaluate(job: Job, first: bool) -> Done:
    """Evaluations of the trained network by all ranks; of frozen features by the first, while the others wait."""
    if first:
        job.post.stage("evaluating", None)
        gauge(job.cell, None)
    failed = None
    if any(reads_network(evaluation) for evaluation in job.cell.own):
        failed = evaluate_cell(job.cell, job.site, of_network=True)
    if not first:
        return Done()
    try:
        with alone_on_first_rank():
            also = evaluate_cell(job.cell, job.site, of_network=False)
    except StorageError as error:  # the other ranks wait for the next job
        raise of_all_ranks(error) from error
    return Done("; ".join(reason for reason in (failed, also) if reason is not None) or None)


class _More:
    """Makes a cell with fewer workers than it asks for save and end when there is room for more."""

    def __init__(self, job: Job, workers: int) -> None:
        self._post, self._fewer = job.post, workers < job.cell.config.training.workers
        self._asked = False

    def __call__(self, progress: Progress) -> None:
        """Asks all ranks from one of them, once; training ends after its next step."""
        worth = progress.seconds_left is not None and progress.seconds_left > MORE_SECONDS
        if self._fewer and not self._asked and worth and self._post.has_room():
            self._asked = True
            ask_to_leave()

    def left_for(self, error: RayslError) -> bool:
        """Whether it ended for that."""
        return self._asked and isinstance(error, LeftError)


class _Due:
    """Selects the progress that is reported to Ray."""

    def __init__(self) -> None:
        self._last = 0

    def __call__(self, progress: Progress) -> bool:
        if (progress.step - self._last) * MOST_REPORTS < progress.steps:
            return False
        self._last = progress.step
        return True


@cache
def _gauges() -> tuple[Gauge, Gauge, Gauge]:
    """Of this process; Ray exports them on its node, for its dashboard and Prometheus."""
    tags = ("study", "row", "seed")
    return (
        Gauge("raysl_loss", "Loss of the last step.", tags),
        Gauge("raysl_clips_per_second", "Speed of the cell, over all of its workers.", tags),
        Gauge("raysl_data_wait_share", "Share of the time in which the cell's workers wait for batches.", tags),
    )


def gauge(cell: Cell, progress: Progress | None) -> None:
    """Shows a cell's training in Ray's metrics; between its stages it has no speed."""
    tags = {"study": cell.study, "row": cell.row, "seed": str(cell.seed)}
    loss, speed, wait = _gauges()
    speed.set(0.0 if progress is None else progress.clips_per_second, tags)
    wait.set(0.0 if progress is None else progress.data_wait_share, tags)
    if progress is not None:
        loss.set(progress.loss, tags)


def numbers(progress: Progress) -> dict[str, float]:
    """Plain floats: Ray refuses others in places."""
    return {
        "epoch": float(progress.epoch),
        "loss": float(progress.loss),
        "clips_per_second": float(progress.clips_per_second),
    }
