"""Where trials run: what they request, which nodes are left out, and how a cell resumes after losing its processes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from time import monotonic
from typing import Any, cast

from ray.tune import Callback
from ray.tune.execution.placement_groups import PlacementGroupFactory
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

from raysl.config.cell import CellConfig
from raysl.config.cells import Cell
from raysl.engine.cells.crew import LOST_PROCESSES, NODE_SECONDS, RESERVATION_LOST, Team
from raysl.engine.cells.endings import last_error, lost_its_node
from raysl.engine.cells.trial import AVOID, CELL, FAULT, LOST, ROOM_AGAIN, SIZE, STEP, WHY, lost_too_often, name_of
from raysl.engine.cluster import Cluster
from raysl.engine.offer import alive_nodes, nodes_that_leave, offer, room, silent_nodes
from raysl.engine.progress.board import Post
from raysl.errors import ConfigError
from raysl.training.check_cell import check_world

MOST_NODES_TRIED = 3
"""How many nodes in turn (for a crew, one per worker at once) are searched for a cell's data before the cell ends
without a result: an autoscaler would add nodes for ever."""

WAITING = "waiting"
"""Stage of a cell that will be resumed."""

MOST_GROWN = 3
"""How often in a run a cell with fewer workers than it asks for is ended to continue with more: nodes that come and go
all the time would cost more than they give."""

CHECK_SECONDS = 5.0
"""Seconds between two checks for room for more workers of such cells."""


def reservation(team: Team, cluster: Cluster, avoid: Sequence[str] = ()) -> PlacementGroupFactory:
    """The placement group that a trial requests: a bundle for each worker.

    A trial of one worker trains in its own actor; one of several needs nothing for the actor that waits for them.

    Args:
        avoid: ids of nodes that lack what it needs.
    """
    selector = avoiding(cluster.options.labels, avoid)
    bundles = [team.bundle] * team.size if team.size == 1 else [{}, *[team.bundle] * team.size]
    labels = {"bundle_label_selector": [selector] * team.size} if selector else {}
    return PlacementGroupFactory(bundles, "PACK", **labels)


def avoiding(labels: Mapping[str, str], nodes: Sequence[str]) -> dict[str, str]:
    """A label selector of Ray that leaves nodes out."""
    return {**labels, **({"ray.io/node-id": f"!in({','.join(nodes)})"} if nodes else {})}


class LeftOut:
    """Nodes that lack what trials read: each is reported once, and excluded from later requests of these trials.

    Args:
        note: called with each line worth keeping.
    """

    def __init__(self, cluster: Cluster, note: Callable[[str], None]) -> None:
        self._cluster, self._note = cluster, note
        self._said = set[str]()
        self._tries: dict[str, list[frozenset[str]]] = {}

    def add(self, nodes: str, why: str, reader: str = "") -> None:
        """As a trial reported them (`AVOID`).

        Args:
            reader: the cell that needs the data; empty for data that several cells read.
        """
        unfit = frozenset(nodes.split(","))
        for node in sorted(unfit - self._said):
            self._note(f"node {_shown(node)} is left out: {why}")
        self._said |= unfit
        self._tries.setdefault(reader, []).append(unfit)

    def tries(self, reader: str = "") -> int:
        """How often the trial met such nodes."""
        return len(self._tries.get(reader, ()))

    def nodes(self, reader: str = "") -> list[str]:
        """Ids of all nodes that lack what it needs."""
        return sorted(frozenset[str]().union(*self._tries.get(reader, ())))

    def move(self, trial: Trial, team: Team, reader: str = "") -> bool:
        """Makes a trial request other nodes; returns whether there are, or can be, enough of them."""
        unfit = self.nodes(reader)
        enough = offer(without=unfit).fitting(team.bundle, self._cluster.options.labels) >= team.size
        if enough:
            trial.update_resources(reservation(team, self._cluster, unfit))
        return enough


def _shown(node: str) -> str:
    """Host and address of a node, by its id."""
    for one in alive_nodes():
        if one["NodeID"] == node:
            return f"{one['NodeManagerHostname']} ({one['NodeManagerAddress']})"
    return node[:8]


class TakenUpAgain(FIFOScheduler):
    """First in, first out; a retried trial gets the reason and is placed on nodes that may have what it needs.

    Args:
        teams, cells, posts: by `name_of`.
        note: called with each line worth keeping.
    """

    def __init__(
        self,
        teams: Mapping[str, Team],
        cells: Mapping[str, Cell],
        posts: Mapping[str, Post],
        cluster: Cluster,
        note: Callable[[str], None],
    ) -> None:
        cast(Any, super()).__init__()
        self._teams, self._cells, self.posts, self._cluster, self._note = teams, cells, posts, cluster, note
        self._fewer: dict[str, Team] = {}
        self._grown = Counter[str]()
        self._steps: dict[str, float] = {}
        self._unfit: dict[str, str] = {}
        self._left_out = LeftOut(cluster, note)
        self._silent, self._asked = list[str](), -math.inf

    def __getstate__(self) -> dict[str, Any]:
        """Empty: Tune's copy is for its own resume, which is not used; ours is from the store."""
        return {}

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """It requests its whole team, or fewer if a run restarts because nodes are gone (`too_wide`)."""
        cell = name_of(trial.config[CELL])
        if self._teams[cell].size > 1:
            if monotonic() - self._asked > CHECK_SECONDS:  # once, not for each of many trials: it asks every node
                self._silent, self._asked = silent_nodes(), monotonic()
            self._resize(trial, cell, self._silent, alone=False)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        cell, step = name_of(trial.config[CELL]), float(result.get(STEP) or 0.0)
        if step > self._steps.get(cell, 0.0):
            self._steps[cell] = step
            trial.config[LOST] = 0
        if result.get(AVOID):
            self._left_out.add(str(result[AVOID]), str(result[FAULT]), cell)
            self._unfit[cell] = str(result[FAULT])
        return str(FIFOScheduler.CONTINUE)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """Tune calls it before the trial waits again, while its request can still be changed."""
        cell = name_of(trial.config[CELL])
        self.posts[cell](stage=WAITING, progress=None)
        why = self._unfit.pop(cell, None)
        if why is None:
            error, silent = last_error(trial), silent_nodes()
            others = [one for one in tune_controller.get_trials() if one is not trial]
            self._grown[cell] += ROOM_AGAIN in error
            if self._resize(trial, cell, silent, alone=not _any_waits(others)) or ROOM_AGAIN in error:
                return
            if silent or lost_its_node(error):
                none = ", and no other came" if RESERVATION_LOST in error else ""
                self._note(f"{self._cells[cell].title}: a node is gone{none}; requests its nodes again")
            else:
                trial.config[LOST] += 1
                trial.config[WHY] = lost_too_often(error)
        elif self._left_out.tries(cell) >= MOST_NODES_TRIED or not self._left_out.move(trial, self._team(cell), cell):
            trial.config[LOST], trial.config[WHY] = LOST_PROCESSES + 1, why
            trial.update_resources(reservation(self._team(cell), self._cluster))  # anywhere, so that it can report this

    def with_room(self, trials: Sequence[Trial]) -> dict[str, int]:
        """Running cells with fewer workers than they ask for that have room for more, and for how many in all.

        If a cell waits, what is free is for that one.
        """
        running = [name_of(one.config[CELL]) for one in trials if one.status == Trial.RUNNING]
        fewer = [cell for cell in running if cell in self._fewer and self._grown[cell] < MOST_GROWN]
        if not fewer or _any_waits(trials):
            return {}
        away = [*silent_nodes(), *nodes_that_leave()]
        sizes = {cell: self._most(cell, away) for cell in fewer}
        return {cell: size for cell, size in sizes.items() if size > self._fewer[cell].size}

    def too_wide(self, trials: Sequence[Trial]) -> bool:
        """Whether all cells that are left wait for workers that no longer fit, because nodes are gone for good.

        Ray cannot change the request of a waiting trial, so the run has to restart.
        """
        left = [one for one in trials if one.status not in (Trial.TERMINATED, Trial.ERROR)]
        if not left or any(one.status != Trial.PENDING for one in left):
            return False
        silent = silent_nodes()
        cells = [name_of(one.config[CELL]) for one in left]
        return all(
            still_fitting(self._cells[cell].config, self._team(cell), self._cluster, silent) < self._team(cell).size
            for cell in cells
        )

    def _team(self, cell: str) -> Team:
        return self._fewer.get(cell, self._teams[cell])

    def _most(self, cell: str, away: Sequence[str]) -> int:
        """How many more workers a cell with fewer than it asks for can have."""
        team, without = self._fewer[cell], [*away, *self._left_out.nodes(cell)]
        free = room(team.bundle, self._cluster.options.labels, without)
        return _dividing(self._cells[cell].config, min(self._teams[cell].size, team.size + free))

    def _resize(self, trial: Trial, cell: str, silent: Sequence[str], alone: bool) -> bool:
        """Continues with fewer workers if nodes are gone for good, and with more again when nodes are back.

        Args:
            alone: no other cell waits for what is free.
        """
        team, unfit = self._team(cell), self._left_out.nodes(cell)
        if self._teams[cell].size == 1:
            return False
        size = still_fitting(self._cells[cell].config, team, self._cluster, [*silent, *unfit])
        if size == team.size and cell in self._fewer and alone:
            size = max(size, self._most(cell, [*silent, *nodes_that_leave()]))
        if size == team.size:
            return False
        own, title = self._teams[cell], self._cells[cell].title
        why = "a node is gone" if size < team.size else "nodes are back"
        self._note(f"{title}: {why}; continues with {size} of {own.size} workers")
        self._fewer[cell] = replace(own, size=size)
        if size == own.size:
            del self._fewer[cell]
        trial.config[SIZE] = size
        trial.update_resources(reservation(self._team(cell), self._cluster, unfit))
        return True


def _any_waits(trials: Sequence[Trial]) -> bool:
    return any(one.status == Trial.PENDING for one in trials)


class Resizing(Callback):
    """Tells cells with fewer workers than they ask for when there is room for more, and ends a Tune run that waits for
    more than there can be, so that it restarts.

    Args:
        board: handle of the `Board`, which they ask.
        note: called with each line worth keeping.
        end: ends the Tune run; it restarts with what is left.
    """

    def __init__(
        self, scheduler: TakenUpAgain, board: Any, note: Callable[[str], None], end: Callable[[], None]
    ) -> None:
        self._scheduler, self._board, self._note, self._end = scheduler, board, note, end
        self._looked = self._moved = monotonic()
        self._with_room: dict[str, int] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def on_step_begin(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        if monotonic() - self._looked < CHECK_SECONDS:
            return
        before, self._with_room = self._with_room, self._scheduler.with_room(trials)
        if before or self._with_room:  # repeated: the board may have been lost
            self._board.set_room.remote(frozenset(self._scheduler.posts[cell].cell for cell in self._with_room))
        for cell in self._with_room.keys() - before.keys():
            self._note(f"{cell}: there is room for {self._with_room[cell]} workers again")
        if not self._scheduler.too_wide(trials):
            self._moved = monotonic()
        elif monotonic() - self._moved > NODE_SECONDS:
            self._end()
        self._looked = monotonic()


def still_fitting(cell: CellConfig, team: Team, cluster: Cluster, away: Sequence[str]) -> int:
    """All of a cell's workers; if nodes are gone for good, as many as still fit and compute the same.

    With an autoscaler a cell keeps its workers, since it brings other nodes.

    Args:
        away: ids of nodes that are gone, or lack what it needs.
    """
    there = offer(without=away)
    fit = there.fitting(team.bundle, cluster.options.labels)
    if fit >= team.size or there.grows:
        return team.size
    return _dividing(cell, fit) or team.size


def _dividing(cell: CellConfig, most: int) -> int:
    """The largest number of workers, up to ``most``, that computes the cell's result; 0 if none does.

    Loss and gradient do not depend on their number, but the global batch must divide by it.
    """
    for size in range(most, 0, -1):
        with suppress(ConfigError):
            check_world(cell, size)
            return size
    return 0
