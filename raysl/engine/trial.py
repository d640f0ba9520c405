"""The Tune trial: one cell, in this very actor or over the workers of a Train run.

What computes is imported where it computes: Train's controllers, one a cell, read this module too.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import ray
import ray.train
from ray import tune
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from raysl.engine.board import Post
from raysl.engine.cell_job import CellJob
from raysl.engine.train_run import LOST_PROCESSES, train_over_workers
from raysl.errors import RayslError, StorageError
from raysl.training.progress import Progress

MOST_REPORTS = 20
"""Of one cell to Ray; a person follows the board."""

ERROR_FILE = "error.txt"
"""In the cell's folder: the traceback of an error that nobody foresaw."""


def trial(config: dict[str, Any], jobs: dict[str, CellJob], board: Any, storage: dict[str, Any], kind: str) -> None:
    """Computes the cell ``config["cell"]``.

    A failure that is the cell's result is in the store when this returns. Whatever else keeps the cell from being
    done is posted and returned from too, so that Tune does not try it again: only lost processes are retried.

    Args:
        jobs: by cell id.
        board: handle of the `Board`.
        storage: ``storage_path`` and ``storage_filesystem`` for Ray's own files.
        kind: ``CPU`` or ``GPU``: what a worker occupies.
    """
    job = jobs[config["cell"]]
    post = Post(board, job.id)
    post(stage="starting", error=None)
    try:
        failed = _over_workers(job, post, storage, kind) if job.workers > 1 else _here(job, post)
    except RayslError as error:
        post(stage="ended", error=str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is kept with the cell and shown by the driver
        post(stage="ended", error=_kept(job, error))
    else:
        post(stage="ended", failed=failed)
    tune.report({"ended": 1.0})


def _here(job: CellJob, post: Post) -> str | None:
    """Trains and evaluates in this process; why the cell failed, if it did."""

    from raysl.engine.cell_work import pretrain_cell

    reports = _Reports()

    def on_progress(progress: Progress) -> None:
        post.progress(progress)
        if reports.due(progress):
            tune.report(_numbers(progress))

    post(stage="pretraining")
    failure = pretrain_cell(job, on_progress)
    return _evaluate(job, post, trained=None) if failure is None else failure


def _over_workers(job: CellJob, post: Post, storage: dict[str, Any], kind: str) -> str | None:
    """Trains under Train, fine-tuning included; why the cell failed, if it did.

    What is evaluated on features comes after it, in a task that does not hold the workers.
    """
    trained: Trained = train_over_workers(
        _worker, {"job": job, "post": post}, f"cell-{job.id}", job.workers, storage, kind
    )
    if not trained.pretrained or all(evaluation.trains for evaluation in job.evaluations):
        return trained.failed
    # The workers are free again; the task may use as many CPUs as they had, where one node has them.
    resources = {"num_cpus": 1, "num_gpus": 1} if kind == "GPU" else {"num_cpus": min(job.workers, _node_cpus())}
    outside = PlacementGroupSchedulingStrategy(placement_group=cast(Any, None))
    task = cast(Any, ray.remote)(max_retries=LOST_PROCESSES, scheduling_strategy=outside, **resources)(_evaluate)
    failed = [trained.failed, ray.get(task.remote(job, post, trained=False))]
    return "; ".join(reason for reason in failed if reason is not None) or None


@dataclass(frozen=True)
class Trained:
    """What a Train run gives. Attributes: pretrained: the backbone is there. failed: why anything failed, or None."""

    pretrained: bool
    failed: str | None


def _worker(config: dict[str, Any]) -> Trained:
    """What every rank of a Train run does. A deterministic failure is in its return value, on every rank."""
    job: CellJob = config["job"]
    post: Post = config["post"]

    from raysl.engine.cell_work import evaluate_cell, pretrain_cell

    reports, first = _Reports(), ray.train.get_context().get_world_rank() == 0

    def on_progress(progress: Progress) -> None:
        if first:
            post.progress(progress)
        if reports.due(progress):
            ray.train.report(_numbers(progress))

    if first:
        post(stage="pretraining")
    failure = pretrain_cell(job, on_progress)
    if failure is not None:
        return Trained(False, failure)
    if first and job.fine_tunings:
        post(stage="fine-tuning")
    told = partial(post.progress, stage="fine-tuning") if first else None
    return Trained(True, evaluate_cell(job, trained=True, on_progress=told))


def _evaluate(job: CellJob, post: Post, trained: bool | None) -> str | None:
    from raysl.engine.cell_work import evaluate_cell

    post(stage="evaluating")
    return evaluate_cell(job, trained=trained, on_progress=partial(post.progress, stage="fine-tuning"))


def _node_cpus() -> int:
    nodes: list[dict[str, Any]] = cast(Any, ray).nodes()
    return max(int(node["Resources"].get("CPU", 0)) for node in nodes if node["Alive"])


class _Reports:
    """Which progress goes to Ray: a report waits for the driver, and every rank must make the same ones."""

    def __init__(self) -> None:
        self._last = 0

    def due(self, progress: Progress) -> bool:
        if (progress.step - self._last) * MOST_REPORTS < progress.steps:
            return False
        self._last = progress.step
        return True


def _numbers(progress: Progress) -> dict[str, float]:
    """Plain floats: Ray refuses others in places."""
    return {
        "epoch": float(progress.epoch),
        "step": float(progress.step),
        "loss": float(progress.loss),
        "clips_per_second": float(progress.clips_per_second),
    }


def _kept(job: CellJob, error: Exception) -> str:
    """Writes the traceback into the cell's folder; one sentence for the driver."""
    reason = (str(error).strip().splitlines() or [""])[-1]
    said = f"{type(error).__name__}: {reason}"
    try:
        job.folder.place.write(ERROR_FILE, "".join(traceback.format_exception(error)).encode())
    except StorageError as problem:
        return f"{said} (its traceback could not be stored: {problem})"
    return f"{said} (traceback: {job.folder.place.shown}/{ERROR_FILE})"
