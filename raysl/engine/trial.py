"""The Tune trial: one cell, in this very actor or over the workers of a Train run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import ray
import ray.train
from ray import tune
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from raysl.config.cells import Cell
from raysl.distributed import is_of_all_ranks
from raysl.engine.board import Post
from raysl.engine.train_run import LOST_PROCESSES, Trained, keep_files_below, train_over_workers
from raysl.errors import NodeFault, RayslError
from raysl.evaluation.evaluate import trains
from raysl.results import Found
from raysl.training.progress import Progress
from raysl.work.compute import compute_cell, evaluate_cell, pretrain_cell, workers_of
from raysl.work.site import Site

MOST_REPORTS = 20
"""Of one cell to Ray; a person follows the board."""


def trial(
    config: dict[str, Any], tasks: Mapping[str, Found], site: Site, board: Any, storage: dict[str, Any], kind: str
) -> None:
    """Computes what is missing of the cell ``config["cell"]``.

    What is the cell's result, a failure too, is in the store when this returns. A fault is posted and returned from, so
    that Tune does not try it again: only lost processes are retried, and what may pass by `compute_cell`.

    Args:
        tasks: by `Cell.key`.
        board: handle of the `Board`.
        storage: ``storage_path`` and ``storage_filesystem`` for Ray's own files.
        kind: ``CPU`` or ``GPU``: what a worker occupies.
    """
    keep_files_below(storage)
    task = tasks[config["cell"]]
    post = Post(board, task.cell.key)
    post(stage="starting", progress=None, error=None)
    try:
        several = workers_of(task) > 1
        failed = _over_workers(task, site, post, storage, kind) if several else _here(task.cell, site, post)
    except RayslError as error:
        post(stage="ended", error=str(error))
    except Exception as error:  # noqa: BLE001 - of Ray itself: the driver shows it, and other cells go on
        reason = (str(error).strip().splitlines() or [""])[-1]
        post(stage="ended", error=site.without_paths(f"{type(error).__name__}: {reason}"))
    else:
        post(stage="ended", failed=failed)
    tune.report({"ended": 1.0})


def _here(cell: Cell, site: Site, post: Post) -> str | None:
    """Trains and evaluates in this process; why the cell failed, if it did."""
    reports = _Reports()

    def on_stage(stage: str, progress: Progress | None) -> None:
        post.stage(stage, progress)
        if stage == "pretraining" and progress is not None and reports.due(progress):
            tune.report(_numbers(progress))

    return compute_cell(cell, site, on_stage)


def _over_workers(task: Found, site: Site, post: Post, storage: dict[str, Any], kind: str) -> str | None:
    """Trains under Train, fine-tuning included; why the cell failed, if it did.

    What is evaluated on features comes after it, in a task that does not hold the workers.
    """
    cell, workers = task.cell, workers_of(task)
    given = {"cell": cell, "site": site, "post": post}
    name = f"cell-{cell.id}"
    trained: Trained = train_over_workers(_worker, given, name, workers, storage, kind)
    if trained.fault is not None:
        raise NodeFault(trained.fault)
    if not trained.pretrained or all(trains(one.config) for one in task.to_compute):
        return trained.failed
    # The workers are free again; the task may use as many CPUs as they had, where one node has them.
    resources = {"num_cpus": 1, "num_gpus": 1} if kind == "GPU" else {"num_cpus": min(workers, _node_cpus())}
    outside = PlacementGroupSchedulingStrategy(placement_group=cast(Any, None))
    remote = cast(Any, ray.remote)(max_retries=LOST_PROCESSES, scheduling_strategy=outside, **resources)(_evaluate)
    evaluated: Trained = ray.get(remote.remote(cell, site, post))
    if evaluated.fault is not None:
        raise NodeFault(evaluated.fault)
    return "; ".join(reason for reason in (trained.failed, evaluated.failed) if reason is not None) or None


def _worker(config: dict[str, Any]) -> Trained:
    """What every rank of a Train run does. A failure, or a fault that all ranks know, is in its return value.

    Raises:
        NodeFault: one that may pass, or of one rank alone: Train ends the other ranks, and starts all of them again.
    """
    cell: Cell = config["cell"]
    site: Site = config["site"]
    post: Post = config["post"]
    reports, first = _Reports(), ray.train.get_context().get_world_rank() == 0

    def on_progress(progress: Progress) -> None:
        if first:
            post.stage("pretraining", progress)
        if reports.due(progress):
            ray.train.report(_numbers(progress))

    def on_fine_tuning(progress: Progress | None) -> None:
        if first:
            post.stage("fine-tuning", progress)

    try:
        if first:
            post.stage("pretraining", None)
        failed = pretrain_cell(cell, site, on_progress)
        if failed is not None:
            return Trained(False, failed)
        if any(trains(evaluation) for evaluation in cell.evaluations):
            on_fine_tuning(None)
        return Trained(True, evaluate_cell(cell, site, trained=True, on_progress=on_fine_tuning))
    except NodeFault as fault:
        if fault.may_pass or not is_of_all_ranks(fault):
            raise
        return Trained(False, fault=str(fault))


def _evaluate(cell: Cell, site: Site, post: Post) -> Trained:
    """The task: whatever is evaluated on frozen features."""
    post.stage("evaluating", None)
    try:
        return Trained(True, evaluate_cell(cell, site, trained=False))
    except NodeFault as fault:
        return Trained(True, fault=str(fault))


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
