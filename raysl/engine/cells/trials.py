"""The Tune run of a plan: every cell is a trial, and all of them request their resources at once."""

from __future__ import annotations

import re
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ray import tune
from ray.tune import Callback
from ray.tune.experiment import Trial
from ray.tune.logger import CSVLoggerCallback, JsonLoggerCallback
from ray.tune.search.basic_variant import BasicVariantGenerator

from raysl.config.cells import Cell
from raysl.engine.cells.crew import Team
from raysl.engine.cells.endings import Ending, Ends, OnEnd
from raysl.engine.cells.jobs import packed
from raysl.engine.cells.placement import Resizing, TakenUpAgain, reservation
from raysl.engine.cells.trial import CELL, LOST, SIZE, WHY, name_of, trial
from raysl.engine.cluster import Cluster
from raysl.engine.progress.board import Post
from raysl.errors import StorageError
from raysl.results import Store, StoredCell
from raysl.results.attempt import STARTED
from raysl.results.place import place
from raysl.work.compute import workers_of
from raysl.work.order import Order
from raysl.work.site import Site


@dataclass(frozen=True)
class Trials:
    """What a Tune run of cells needs.

    Attributes:
        board: handle of the `Board`.
        on_end: called with each cell that ended.
        note: called with each line worth keeping.
        order: which cells begin when.
    """

    site: Site
    cluster: Cluster
    board: Any
    on_end: OnEnd
    note: Callable[[str], None]
    order: Order
    max_concurrent: int | None = None

    def run(self, tasks: Sequence[StoredCell]) -> None:
        """Runs every cell as a trial once it may begin; cells that wait for the same resources keep this order."""
        ended, left = set[str](), list(tasks)

        def on_end(cell: str, failed: str | None, fault: str | None) -> None:
            ended.add(cell)
            self.on_end(cell, failed, fault)

        while self._run(left, on_end):
            left = [task for task in left if task.cell.key not in ended]

    def _run(self, tasks: Sequence[StoredCell], on_end: OnEnd) -> bool:
        """Whether the run must restart with the cells that are left."""
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
        grid = WhenTheyMay(lambda one: self.order.may_begin(cells[name_of(one.config[CELL])].key), self.max_concurrent)

        def ends(cell: str, failed: str | None, fault: str | None) -> None:
            on_end(cell, failed, fault)
            try:
                self.order.end(cell)
            except StorageError as error:
                ending.lose(error)

        again = TakenUpAgain(teams, cells, posts, self.cluster, self.note)
        callbacks = (
            Ends(ends, {name: cell.key for name, cell in cells.items()}, ending),
            Resizing(again, self.board, self.note, ending.begin_again),
        )
        tuner = tune.Tuner(
            tune.with_resources(trainable, lambda config: reserved[name_of(config[CELL])]),
            param_space={CELL: tune.grid_search(shown), LOST: 0, WHY: "", SIZE: 0},
            tune_config=tune.TuneConfig(
                search_alg=grid,
                scheduler=again,
                # Starting processes and importing PyTorch costs more than many cells; nothing stops trials from
                # outside.
                reuse_actors=True,
                trial_name_creator=lambda one: name_of(one.config[CELL]),
                trial_dirname_creator=lambda one: _folder_name(cells[name_of(one.config[CELL])]),
            ),
            run_config=tune.RunConfig(
                # A trial counts how often it was lost without progress, and ends itself.
                failure_config=tune.FailureConfig(max_failures=-1),
                verbose=0,
                stop=ending,
                **experiment("cells", self.cluster, storage, *callbacks),
            ),
        )
        with ending:
            tuner.fit()
        return ending.again

    def _team(self, task: StoredCell, storage: dict[str, Any]) -> Team:
        size = workers_of(task)
        return Team(size, self.cluster.bundle(task.cell.config.training, size), storage)


class WhenTheyMay(BasicVariantGenerator):
    """Tune's grid in its order; a trial comes once it may begin, and is left out if it never may.

    Args:
        may_begin: of a trial; None: never.
        most: trials at a time; None: as many as fit.
    """

    def __init__(self, may_begin: Callable[[Trial], bool | None], most: int | None) -> None:
        cast(Any, super()).__init__()
        self._may_begin, self._most = may_begin, most
        self._held, self._out = list[Trial](), set[str]()

    def __getstate__(self) -> dict[str, Any]:
        """Empty: Tune's copy is for its own resume, which is not used; ours is from the store."""
        return {}

    def save_to_dir(self, dirpath: str, session_str: str = "", **kwargs: Any) -> bool:
        """As `__getstate__`; Tune's own generator also keeps nothing for many trials."""
        return False

    def next_trial(self) -> Trial | None:
        if self._most is not None and len(self._out) >= self._most:
            return None
        while (one := cast(Any, super()).next_trial()) is not None:
            self._held.append(one)
        self._held = [one for one in self._held if self._may_begin(one) is not None]
        found = next((one for one in self._held if self._may_begin(one)), None)
        if found is not None:
            self._held.remove(found)
            self._out.add(found.trial_id)
        return found

    def is_finished(self) -> bool:
        return bool(cast(Any, super()).is_finished()) and all(self._may_begin(one) is None for one in self._held)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        self._out.discard(trial_id)


def parameters(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """What Tune's tools show of each cell: its study and row, and the row's values of the ablated factors.

    Cells that these do not distinguish have an ``id`` too.
    """
    titles = Counter(cell.title for cell in cells)
    return [
        {"study": cell.study, "row": cell.row, "seed": cell.seed}
        | ({} if not cell.part else {"part": cell.part})
        | ({} if cell.fold is None else {"fold": cell.fold})
        | ({} if titles[cell.title] == 1 else {"id": cell.key})
        | dict(cell.factors)
        for cell in cells
    ]


def _folder_name(cell: Cell) -> str:
    """``quickstart-two-times-seed1-0123456789ab``"""
    return f"{re.sub(r'[^A-Za-z0-9.+=]+', '-', cell.title).strip('-')[:80]}-{cell.id}"


def experiment(kind: str, cluster: Cluster, storage: dict[str, Any], *callbacks: Callback) -> dict[str, Any]:
    """Arguments of a `RunConfig`: where Tune keeps the run's files, and Tune's loggers if the user wants its files.

    Args:
        kind: how the folder's name begins.
        storage: from `ray_files`, for files that are not kept.
    """
    if cluster.tune_dir is None:
        return {"name": kind, "callbacks": [*callbacks], **storage}
    folder, began = place(cluster.tune_dir), time.strftime(STARTED, time.gmtime())
    return {
        "name": f"{kind}-{began}-{uuid.uuid4().hex[:6]}",
        "callbacks": [*callbacks, *(cast(Any, one)() for one in (CSVLoggerCallback, JsonLoggerCallback))],
        "storage_path": folder.root,
        **({} if folder.is_local else {"storage_filesystem": folder.filesystem}),
    }


def ray_files(store: Store, cluster: Cluster) -> dict[str, Any]:
    """Where Ray keeps its own files, which are not used again: all nodes of a cluster must see them."""
    if cluster.own:
        return {"storage_path": tempfile.mkdtemp(dir=cluster.folder)}
    place = store.place.below("ray")
    return {"storage_path": place.root, "storage_filesystem": place.filesystem}
