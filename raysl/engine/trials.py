"""The Tune runs of a plan: one for each number of workers, so that trials of one run never wait for each other."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ray import tune
from ray.tune import Callback
from ray.tune.experiment import Trial

from raysl.engine.board import Post
from raysl.engine.cell_job import CellJob
from raysl.engine.cluster import WAITING_CPUS, Cluster
from raysl.engine.train_run import LOST_PROCESSES
from raysl.engine.trial import trial
from raysl.results import Store


def run_trials(
    jobs: Sequence[CellJob], store: Store, cluster: Cluster, board: Any, max_concurrent: int | None
) -> dict[str, str]:
    """Runs every job as a trial; those that need one process first, then the others by their number of workers.

    Returns:
        Cell id to reason, of trials whose process was lost more often than is retried.
    """
    lost: dict[str, str] = {}
    with ray_files(store, cluster) as storage:
        for workers in sorted({job.workers for job in jobs}):
            alike = [job for job in jobs if job.workers == workers]
            at_once = min(cluster.at_once(workers), max_concurrent or len(jobs), len(alike))
            lost |= _tune(alike, workers, at_once, storage, cluster, board)
    return lost


def _tune(
    jobs: Sequence[CellJob], workers: int, at_once: int, storage: dict[str, Any], cluster: Cluster, board: Any
) -> dict[str, str]:
    by_id = {job.id: job for job in jobs}
    watching = _Lost(board)
    trainable = tune.with_parameters(trial, jobs=by_id, board=board, storage=storage, kind=cluster.kind)
    tune.Tuner(
        tune.with_resources(trainable, trial_resources(workers, cluster)),
        param_space={"cell": tune.grid_search(list(by_id))},
        tune_config=tune.TuneConfig(
            max_concurrent_trials=at_once,
            # Starting a process and importing PyTorch costs more than many a cell; nothing stops trials from outside.
            reuse_actors=True,
            trial_name_creator=lambda one: by_id[one.config["cell"]].title,
            trial_dirname_creator=lambda one: _folder_name(by_id[one.config["cell"]]),
        ),
        run_config=tune.RunConfig(
            name=f"tune-{workers}",
            failure_config=tune.FailureConfig(max_failures=LOST_PROCESSES),
            callbacks=[watching],
            verbose=0,
            **storage,
        ),
    ).fit()
    return watching.lost


def trial_resources(workers: int, cluster: Cluster) -> dict[str, float]:
    """What the actor of a trial holds: it trains itself where there is one worker, and only waits where several."""
    if workers > 1:
        return {"CPU": WAITING_CPUS}
    return {"CPU": 1, "GPU": 1} if cluster.gpus else {"CPU": 1}


def _folder_name(job: CellJob) -> str:
    """``quickstart-two-times-seed1-0123456789ab``"""
    return f"{re.sub(r'[^A-Za-z0-9.+=]+', '-', job.title).strip('-')[:80]}-{job.id}"


class _Lost(Callback):
    """Collects the trials that Tune gave up, whose own processes can say nothing any more."""

    def __init__(self, board: Any) -> None:
        self._board = board
        self.lost: dict[str, str] = {}

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        cell = str(trial.config["cell"])
        text = str(trial.get_error() or "its process was lost").strip()
        self.lost[cell] = f"its process was lost {LOST_PROCESSES + 1} times: {text.splitlines()[-1]}"
        Post(self._board, cell)(stage="ended", error=self.lost[cell])


@contextmanager
def ray_files(store: Store, cluster: Cluster) -> Iterator[dict[str, Any]]:
    """Where Ray keeps its own files, which nobody reads again: they must be on a disk that all of its nodes see."""
    if len(cluster.nodes) > 1:
        place = store.place.below("ray")
        yield {"storage_path": place.root, "storage_filesystem": place.filesystem}
        return
    folder = tempfile.mkdtemp(prefix="raysl-tune-")
    try:
        yield {"storage_path": folder}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
