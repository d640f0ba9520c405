"""The Tune runs of a plan: one for each number of workers, so that trials of one run never wait for each other."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from typing import Any

from ray import tune
from ray.tune import Callback
from ray.tune.experiment import Trial

from raysl.config.cells import Cell
from raysl.engine.board import Post
from raysl.engine.cluster import WAITING_CPUS, Cluster
from raysl.engine.train_run import LOST_PROCESSES
from raysl.engine.trial import trial
from raysl.results import Found, Store
from raysl.work.compute import workers_of
from raysl.work.site import Site


def run_trials(tasks: Sequence[Found], site: Site, cluster: Cluster, board: Any, max_concurrent: int | None) -> None:
    """Runs every cell as a trial; those that need one process first, then the others by their number of workers."""
    storage = ray_files(site.store, cluster)
    for workers in sorted({workers_of(task) for task in tasks}):
        alike = [task for task in tasks if workers_of(task) == workers]
        at_once = min(cluster.at_once(workers), max_concurrent or len(tasks), len(alike))
        _tune(alike, site, workers, at_once, storage, cluster, board)


def _tune(
    tasks: Sequence[Found],
    site: Site,
    workers: int,
    at_once: int,
    storage: dict[str, Any],
    cluster: Cluster,
    board: Any,
) -> None:
    by_key = {task.cell.key: task for task in tasks}
    trainable = tune.with_parameters(trial, tasks=by_key, site=site, board=board, storage=storage, kind=cluster.kind)
    tune.Tuner(
        tune.with_resources(trainable, trial_resources(workers, cluster)),
        param_space={"cell": tune.grid_search(list(by_key))},
        tune_config=tune.TuneConfig(
            max_concurrent_trials=at_once,
            # Starting a process and importing PyTorch costs more than many a cell; nothing stops trials from outside.
            reuse_actors=True,
            trial_name_creator=lambda one: by_key[one.config["cell"]].cell.title,
            trial_dirname_creator=lambda one: _folder_name(by_key[one.config["cell"]].cell),
        ),
        run_config=tune.RunConfig(
            name=f"tune-{workers}",
            failure_config=tune.FailureConfig(max_failures=LOST_PROCESSES),
            callbacks=[_Lost(board)],
            verbose=0,
            **storage,
        ),
    ).fit()


def trial_resources(workers: int, cluster: Cluster) -> dict[str, float]:
    """What the actor of a trial holds: it trains itself where there is one worker, and only waits where several."""
    if workers > 1:
        return {"CPU": WAITING_CPUS}
    return {"CPU": 1, "GPU": 1} if cluster.gpus else {"CPU": 1}


def _folder_name(cell: Cell) -> str:
    """``quickstart-two-times-seed1-0123456789ab``"""
    return f"{re.sub(r'[^A-Za-z0-9.+=]+', '-', cell.title).strip('-')[:80]}-{cell.id}"


class _Lost(Callback):
    """Says on the board which trials Tune gave up, whose processes can say nothing any more."""

    def __init__(self, board: Any) -> None:
        self._board = board

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        cell = str(trial.config["cell"])
        text = str(trial.get_error() or "its process was lost").strip()
        reason = f"its process was lost {LOST_PROCESSES + 1} times: {text.splitlines()[-1]}"
        Post(self._board, cell)(stage="ended", error=reason)


def ray_files(store: Store, cluster: Cluster) -> dict[str, Any]:
    """Where Ray keeps its own files, which nobody reads again: they must be on a disk that all of its nodes see."""
    if len(cluster.nodes) > 1:
        place = store.place.below("ray")
        return {"storage_path": place.root, "storage_filesystem": place.filesystem}
    return {"storage_path": tempfile.mkdtemp(dir=cluster.folder)}
