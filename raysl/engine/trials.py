"""The Tune run of a plan: every cell is a trial, and all of them ask for what they use at once."""

from __future__ import annotations

import logging
import os
import re
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from pyarrow import ArrowException
from ray import tune
from ray.tune import Callback, Stopper, TuneError
from ray.tune.execution.placement_groups import PlacementGroupFactory
from ray.tune.experiment import Trial
from ray.tune.logger import CSVLoggerCallback, JsonLoggerCallback
from ray.tune.schedulers import FIFOScheduler

from raysl.config.cell import CellConfig
from raysl.config.cells import Cell
from raysl.engine.board import Post
from raysl.engine.cluster import Cluster
from raysl.engine.crew import LOST_PROCESSES, RESERVATION_LOST, Team
from raysl.engine.jobs import packed
from raysl.engine.offer import alive_nodes, offer, silent_nodes
from raysl.engine.trial import (
    AVOID,
    CELL,
    ENDED,
    FAILED,
    FAULT,
    LOST,
    SIZE,
    STEP,
    STORE,
    WHY,
    lost_too_often,
    name_of,
    trial,
)
from raysl.errors import ConfigError, StorageError, StoreLostError
from raysl.results import Found, Store
from raysl.results.attempt import STARTED
from raysl.results.place import FULL, place
from raysl.training.check_cell import check_world
from raysl.work.compute import workers_of
from raysl.work.site import Site

MOST_NODES_TRIED = 3
"""One after the other (for a crew, as many at once as it has workers on), on which a cell's data is looked for before
the cell ends without a result: an autoscaler adds more for ever."""

NODE_LOST = (
    "its node has died",
    "node was terminated",
    "Owner's node has crashed",
    "InsufficientClusterResources",
    RESERVATION_LOST,
)
"""What Ray says where a process ended with its node, or a worker's node is gone."""

TUNES_FILES = ("ray.tune.execution.experiment_state", "ray.tune.tune")
"""Loggers that say, with a traceback, that Tune's own files could not be written."""

OnEnd = Callable[[str, str | None, str | None], None]
"""Takes a cell's key, why it failed as its result, and why it ended without one."""


@dataclass(frozen=True)
class Trials:
    """What a Tune run of cells needs.

    Attributes:
        board: handle of the `Board`.
        on_end: called with each cell that ended.
        note: called with each line worth keeping.
    """

    site: Site
    cluster: Cluster
    board: Any
    on_end: OnEnd
    note: Callable[[str], None]
    max_concurrent: int | None = None

    def run(self, tasks: Sequence[Found]) -> None:
        """Runs every cell as a trial, in this order where they wait for the same resources."""
        storage = ray_files(self.site.store, self.cluster)
        shown = parameters([task.cell for task in tasks])
        named = {name_of(own): task for own, task in zip(shown, tasks, strict=True)}
        cells = {name: task.cell for name, task in named.items()}
        teams = {name: self._team(task, storage) for name, task in named.items()}
        posts = {name: Post(self.board, cell.key) for name, cell in cells.items()}
        jobs = {name: packed(cell, self.site, posts[name]) for name, cell in cells.items()}
        reserved = {name: reservation(team, self.cluster) for name, team in teams.items()}
        trainable = tune.with_parameters(trial, jobs=jobs, teams=teams, posts=posts)
        ending = Ending(self.site.store, self.cluster)
        tuner = tune.Tuner(
            tune.with_resources(trainable, lambda config: reserved[name_of(config[CELL])]),
            param_space={CELL: tune.grid_search(shown), LOST: 0, WHY: "", SIZE: 0},
            tune_config=tune.TuneConfig(
                max_concurrent_trials=self.max_concurrent,
                scheduler=_TakenUpAgain(self, teams, cells),
                # Starting processes and importing PyTorch costs more than many a cell; nothing stops trials from
                # outside.
                reuse_actors=True,
                trial_name_creator=lambda one: name_of(one.config[CELL]),
                trial_dirname_creator=lambda one: _folder_name(cells[name_of(one.config[CELL])]),
            ),
            run_config=tune.RunConfig(
                # A trial counts by itself how often it was lost in vain, and ends.
                failure_config=tune.FailureConfig(max_failures=-1),
                verbose=0,
                stop=ending,
                **experiment(
                    "cells",
                    self.cluster,
                    storage,
                    _Ends(self.on_end, {name: cell.key for name, cell in cells.items()}, ending),
                ),
            ),
        )
        with ending:
            tuner.fit()

    def _team(self, task: Found, storage: dict[str, Any]) -> Team:
        size = workers_of(task)
        return Team(size, self.cluster.bundle(task.cell.config.training, size), storage)


def parameters(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """What Tune's tools show of each cell: where it stands in its study, and the row's values of the ablated factors.

    Cells that no study tells apart have an ``id`` too.
    """
    titles = Counter(cell.title for cell in cells)
    return [
        {"study": cell.study, "row": cell.row, "seed": cell.seed}
        | ({} if cell.fold is None else {"fold": cell.fold})
        | ({} if titles[cell.title] == 1 else {"id": cell.key})
        | dict(cell.factors)
        for cell in cells
    ]


def reservation(team: Team, cluster: Cluster, avoid: Sequence[str] = ()) -> PlacementGroupFactory:
    """What a trial asks for: a bundle for each worker.

    A trial of one worker trains in its own actor; one of several needs nothing for the actor that waits for them.

    Args:
        avoid: ids of nodes that are not fit for it.
    """
    selector = avoiding(cluster.options.labels, avoid)
    bundles = [team.bundle] * team.size if team.size == 1 else [{}, *[team.bundle] * team.size]
    labels = {"bundle_label_selector": [selector] * team.size} if selector else {}
    return PlacementGroupFactory(bundles, "PACK", **labels)


def avoiding(labels: Mapping[str, str], nodes: Sequence[str]) -> dict[str, str]:
    """A label selector of Ray that leaves nodes out."""
    return {**labels, **({"ray.io/node-id": f"!in({','.join(nodes)})"} if nodes else {})}


def _folder_name(cell: Cell) -> str:
    """``quickstart-two-times-seed1-0123456789ab``"""
    return f"{re.sub(r'[^A-Za-z0-9.+=]+', '-', cell.title).strip('-')[:80]}-{cell.id}"


class _TakenUpAgain(FIFOScheduler):
    """First in, first out; and a trial that is tried again gets to know why, on nodes that may be fit for it."""

    def __init__(self, trials: Trials, teams: Mapping[str, Team], cells: Mapping[str, Cell]) -> None:
        cast(Any, super()).__init__()
        self._trials, self._teams, self._cells = trials, dict(teams), cells
        self._steps: dict[str, float] = {}
        self._unfit: dict[str, str] = {}
        self._avoid: dict[str, list[frozenset[str]]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Tune keeps a copy for a resume of its own, which nobody asks for: ours is from the store."""
        return {**vars(self), "_trials": None, "_teams": {}, "_cells": {}}

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        cell, step = name_of(trial.config[CELL]), float(result.get(STEP) or 0.0)
        if step > self._steps.get(cell, 0.0):
            self._steps[cell] = step
            trial.config[LOST] = 0
        if result.get(AVOID):
            unfit, why = frozenset(str(result[AVOID]).split(",")), str(result[FAULT])
            known = frozenset[str]().union(*(nodes for tries in self._avoid.values() for nodes in tries))
            for node in sorted(unfit - known):
                self._trials.note(f"node {shown_node(node)} is left out: {why}")
            self._avoid.setdefault(cell, []).append(unfit)
            self._unfit[cell] = why
        return str(FIFOScheduler.CONTINUE)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """Tune calls it before the trial waits again, when what it asks for can still be changed."""
        cell = name_of(trial.config[CELL])
        why = self._unfit.pop(cell, None)
        if why is None:
            error = last_error(trial)
            silent = silent_nodes()
            if not self._fit(trial, cell, silent) and not silent and not _lost_its_node(error):
                trial.config[LOST] += 1
                trial.config[WHY] = lost_too_often(error)
            return
        avoid, cluster = self._unfit_nodes(cell), self._trials.cluster
        others = offer(without=avoid).fitting(self._teams[cell].bundle, cluster.options.labels)
        if len(self._avoid[cell]) >= MOST_NODES_TRIED or others < self._teams[cell].size:
            trial.config[LOST], trial.config[WHY] = LOST_PROCESSES + 1, why
            avoid = []  # it still has to run somewhere, to say so
        trial.update_resources(reservation(self._teams[cell], cluster, avoid))

    def _fit(self, trial: Trial, cell: str, silent: Sequence[str]) -> bool:
        """Goes on with fewer workers where nodes are gone for good: no autoscaler brings others."""
        team, cluster = self._teams[cell], self._trials.cluster
        if team.size == 1:
            return False
        there = offer(without=[*silent, *self._unfit_nodes(cell)])
        fit = there.fitting(team.bundle, cluster.options.labels)
        size = 0 if there.grows or fit >= team.size else _fewer(self._cells[cell].config, fit)
        if size:
            title = self._cells[cell].title
            self._trials.note(f"{title}: a node is gone; goes on with {size} of {team.size} workers")
            self._teams[cell], trial.config[SIZE] = replace(team, size=size), size
            trial.update_resources(reservation(self._teams[cell], cluster, self._unfit_nodes(cell)))
        return bool(size)

    def _unfit_nodes(self, cell: str) -> list[str]:
        """Ids of all nodes that are not fit for it."""
        return sorted(frozenset[str]().union(*self._avoid.get(cell, ())))


def _fewer(cell: CellConfig, most: int) -> int:
    """The most workers, of so many, that compute the cell's result; 0 where none do.

    Loss and gradient do not depend on their number, but the global batch must divide by it.
    """
    for size in range(most, 0, -1):
        with suppress(ConfigError):
            check_world(cell, size)
            return size
    return 0


def shown_node(node: str) -> str:
    """Host and address of a node, by its id."""
    for one in alive_nodes():
        if one["NodeID"] == node:
            return f"{one['NodeManagerHostname']} ({one['NodeManagerAddress']})"
    return node[:8]


def last_error(trial: Trial) -> str:
    """Why its actor was lost the last time, or empty.

    Tune appends it to a file of the driver. `Trial.get_error` reads a copy in the storage, which may come later.
    """
    file = cast(str | None, trial.error_file)
    if file is None or not Path(file).is_file():
        return ""
    return Path(file).read_text(encoding="utf-8", errors="replace").rpartition("Failure # ")[2].strip()


def _lost_its_node(error: str) -> bool:
    """Whether the machine is gone, of which the cell is not the cause: spot machines may go any number of times."""
    return any(said in error for said in NODE_LOST)


class Ending(Stopper):
    """Ends a Tune run whose store is lost; a context manager of its `fit`, which raises why.

    In its body Tune keeps to itself what it could not write of its own files, where nobody reads them.
    """

    def __init__(self, store: Store, cluster: Cluster) -> None:
        self._store = store
        self._silent = [] if cluster.tune_dir else [logging.getLogger(name) for name in TUNES_FILES]
        self._levels: list[int] = []
        self._why: StorageError | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Tune keeps a copy for a resume of its own, which nobody asks for: ours is from the store."""
        return {"_store": None, "_silent": [], "_levels": [], "_why": None}

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._why is not None

    def lose(self, why: StorageError) -> None:
        """By the driver, which could not write or read."""
        self._why = self._why or why

    def is_lost(self, why: str) -> bool:
        """Whether the store that a worker lost is lost to the driver too, and not to the worker's node alone."""
        try:
            self._store.check_writable()
            lost = any(os.strerror(number) in why for number in FULL)  # of a full disk, the check fits on what is left
        except StorageError:
            lost = True
        if lost:
            self.lose(StoreLostError(why))
        return lost

    def __enter__(self) -> None:
        self._levels = [logger.level for logger in self._silent]
        for logger in self._silent:
            logger.setLevel(logging.CRITICAL)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for logger, level in zip(self._silent, self._levels, strict=True):
            logger.setLevel(level)
        if self._why is None and isinstance(error, TuneError | OSError | ArrowException):  # its own files may be there
            self._store.check_writable()
        if self._why is not None and not isinstance(error, KeyboardInterrupt):
            raise self._why


class _Ends(Callback):
    """Hands on how trials ended: what they post on the board may be lost with it."""

    def __init__(self, on_end: OnEnd, keys: Mapping[str, str], ending: Ending) -> None:
        self._on_end, self._keys, self._ending = on_end, keys, ending

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        if result.get(STORE) and self._ending.is_lost(result[FAULT]):
            return
        if result.get(ENDED):
            self._on_end(self._keys[name_of(trial.config[CELL])], result[FAILED] or None, result[FAULT] or None)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._on_end(self._keys[name_of(trial.config[CELL])], None, last_error(trial) or "its process was lost")


def experiment(kind: str, cluster: Cluster, storage: dict[str, Any], callback: Callback) -> dict[str, Any]:
    """What a `RunConfig` is given: where Tune keeps the run's files, and Tune's loggers where a person wants them.

    Args:
        kind: how the folder's name begins.
        storage: as `ray_files` gives it: what is not kept.
    """
    if cluster.tune_dir is None:
        return {"name": kind, "callbacks": [callback], **storage}
    folder, began = place(cluster.tune_dir), time.strftime(STARTED, time.gmtime())
    return {
        "name": f"{kind}-{began}-{uuid.uuid4().hex[:6]}",
        "callbacks": [callback, *(cast(Any, one)() for one in (CSVLoggerCallback, JsonLoggerCallback))],
        "storage_path": folder.root,
        **({} if folder.is_local else {"storage_filesystem": folder.filesystem}),
    }


def ray_files(store: Store, cluster: Cluster) -> dict[str, Any]:
    """Where Ray keeps its own files, which nobody reads again: nodes may join a cluster, and all must see them."""
    if cluster.own:
        return {"storage_path": tempfile.mkdtemp(dir=cluster.folder)}
    place = store.place.below("ray")
    return {"storage_path": place.root, "storage_filesystem": place.filesystem}
