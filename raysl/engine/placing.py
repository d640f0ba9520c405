"""Where trials run: what they ask for, which nodes are left out, and how a cell that lost its processes goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

from ray.tune.execution.placement_groups import PlacementGroupFactory
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

from raysl.config.cell import CellConfig
from raysl.config.cells import Cell
from raysl.engine.cluster import Cluster
from raysl.engine.crew import LOST_PROCESSES, Team
from raysl.engine.endings import last_error, lost_its_node
from raysl.engine.offer import alive_nodes, offer, silent_nodes
from raysl.engine.trial import AVOID, CELL, FAULT, LOST, SIZE, STEP, WHY, lost_too_often, name_of
from raysl.errors import ConfigError
from raysl.training.check_cell import check_world

MOST_NODES_TRIED = 3
"""One after the other (for a crew, as many at once as it has workers on), on which a cell's data is looked for before
the cell ends without a result: an autoscaler adds more for ever."""


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


class LeftOut:
    """Nodes that lack what trials read: each is said once, and left out of what these trials ask for from then on.

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
            reader: who reads what they lack; what several read alike has no name.
        """
        unfit = frozenset(nodes.split(","))
        for node in sorted(unfit - self._said):
            self._note(f"node {_shown(node)} is left out: {why}")
        self._said |= unfit
        self._tries.setdefault(reader, []).append(unfit)

    def tries(self, reader: str = "") -> int:
        """How often it met such nodes."""
        return len(self._tries.get(reader, ()))

    def nodes(self, reader: str = "") -> list[str]:
        """Ids of all that are not fit for it."""
        return sorted(frozenset[str]().union(*self._tries.get(reader, ())))

    def move(self, trial: Trial, team: Team, reader: str = "") -> bool:
        """Has a trial ask for other nodes; whether there are, or can be, enough of them."""
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
    """First in, first out; and a trial that is tried again gets to know why, on nodes that may be fit for it.

    Args:
        teams, cells: by `name_of`.
        note: called with each line worth keeping.
    """

    def __init__(
        self, teams: Mapping[str, Team], cells: Mapping[str, Cell], cluster: Cluster, note: Callable[[str], None]
    ) -> None:
        cast(Any, super()).__init__()
        self._teams, self._cells, self._cluster, self._note = dict(teams), cells, cluster, note
        self._steps: dict[str, float] = {}
        self._unfit: dict[str, str] = {}
        self._left_out = LeftOut(cluster, note)

    def __getstate__(self) -> dict[str, Any]:
        """Tune keeps a copy for a resume of its own, which nobody asks for: ours is from the store."""
        return {}

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
        """Tune calls it before the trial waits again, when what it asks for can still be changed."""
        cell = name_of(trial.config[CELL])
        why = self._unfit.pop(cell, None)
        if why is None:
            error, silent = last_error(trial), silent_nodes()
            if not self._fit(trial, cell, silent) and not silent and not lost_its_node(error):
                trial.config[LOST] += 1
                trial.config[WHY] = lost_too_often(error)
        elif self._left_out.tries(cell) >= MOST_NODES_TRIED or not self._left_out.move(trial, self._teams[cell], cell):
            trial.config[LOST], trial.config[WHY] = LOST_PROCESSES + 1, why
            trial.update_resources(reservation(self._teams[cell], self._cluster))  # somewhere, to say so

    def _fit(self, trial: Trial, cell: str, silent: Sequence[str]) -> bool:
        """Goes on with fewer workers where nodes are gone for good: no autoscaler brings others."""
        team, unfit = self._teams[cell], self._left_out.nodes(cell)
        if team.size == 1:
            return False
        there = offer(without=[*silent, *unfit])
        fit = there.fitting(team.bundle, self._cluster.options.labels)
        size = 0 if there.grows or fit >= team.size else _fewer(self._cells[cell].config, fit)
        if size:
            title = self._cells[cell].title
            self._note(f"{title}: a node is gone; goes on with {size} of {team.size} workers")
            self._teams[cell], trial.config[SIZE] = replace(team, size=size), size
            trial.update_resources(reservation(self._teams[cell], self._cluster, unfit))
        return bool(size)


def _fewer(cell: CellConfig, most: int) -> int:
    """The most workers, of so many, that compute the cell's result; 0 where none do.

    Loss and gradient do not depend on their number, but the global batch must divide by it.
    """
    for size in range(most, 0, -1):
        with suppress(ConfigError):
            check_world(cell, size)
            return size
    return 0
