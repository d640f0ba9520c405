"""The Tune trial: one cell, in this actor or over a crew of workers. Imports little, since it often only waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from queue import SimpleQueue
from typing import Any, TypeVar, cast

from ray import tune

from raysl.engine.cells.crew import LOST_PROCESSES, Crew, LostError, Team, settle
from raysl.engine.progress.board import Post
from raysl.errors import RayslError, StoreLostError

STEP, ENDED, FAILED, FAULT, AVOID, STORE = "step", "ended", "failed", "fault", "avoid", "store"
"""Keys of what a trial reports: steps done, that it ended, why it failed as its result, why it has none this time, the
nodes that are not fit for it, and whether the store was lost."""

CELL, LOST, WHY, SIZE = "cell", "lost", "why", "workers"
"""Keys of a trial's configuration: what is shown of the cell (`raysl.engine.cells.trials.parameters`); how often in a
row its processes were lost, and why the last time; its workers since a node went or came back, or 0: all."""

ROOM_AGAIN = "there is room for more of its workers again"
"""The text of `MoreWorkersError`."""

T = TypeVar("T")

_crews: list[Crew] = []
"""The crews of this process, which Tune reuses for cells of equal resources."""


class NodeNotFitError(Exception):
    """The cell must be retried on another node."""


class MoreWorkersError(Exception):
    """The cell had fewer workers than it asks for and saved a checkpoint to continue with more."""


def trial(
    config: dict[str, Any], jobs: Mapping[str, bytes], teams: Mapping[str, Team], posts: Mapping[str, Post]
) -> None:
    """Computes what is missing of the cell ``config["cell"]``.

    The cell's result, which may be a failure, is in the store when this returns. A fault is reported before it returns,
    so that Tune does not retry it: Tune retries lost processes and unfit nodes, `compute_cell` what may pass.

    Args:
        jobs: pickled, by `name_of`: what `raysl.engine.cells.jobs` does.
        teams, posts: by `name_of`.

    Raises:
        NodeNotFitError: to be retried on another node.
        MoreWorkersError: to be retried with more workers.
        ReservationError, ray.exceptions.RayError, ray.train.TrainingFailedError: processes or nodes were lost; to be
            retried.
    """
    name = name_of(config[CELL])
    post, team = posts[name], replace(teams[name], size=config[SIZE] or teams[name].size)
    if config[LOST] > LOST_PROCESSES:
        _end(post, fault=config[WHY])
        return
    settle(team)
    post(stage="starting", progress=None, error=None)
    try:
        done = _over_workers(post.cell, jobs[name], team) if team.size > 1 else _here(jobs[name])
    except RayslError as error:
        _end(post, fault=str(error), store_lost=isinstance(error, StoreLostError))
    except LostError as error:
        _end(post, fault=lost_too_often(str(error)))
    else:
        if done.not_here:
            tune.report({AVOID: ",".join(done.not_here), FAULT: done.fault})
            raise NodeNotFitError(done.fault)
        if done.more:
            raise MoreWorkersError(ROOM_AGAIN)
        _end(post, failed=done.failed, fault=done.fault, store_lost=done.store_lost)


def name_of(shown: Mapping[str, Any]) -> str:
    """The cell's title, from what is shown of it as a trial's parameters."""
    part = f"/{shown['part']}" if "part" in shown else ""
    fold = f"/fold{shown['fold']}" if "fold" in shown else ""
    return f"{shown['study']}/{shown['row']}/seed{shown['seed']}{part}{fold}" + (
        f" {shown['id']}" if "id" in shown else ""
    )


def lost_too_often(why: str) -> str:
    last = (why.strip().splitlines() or ["it may have run out of memory"])[-1]
    return f"its process was lost {LOST_PROCESSES + 1} times in a row: {last}"


def _end(post: Post, failed: str | None = None, fault: str | None = None, store_lost: bool = False) -> None:
    if not store_lost:  # reported once, for all cells
        post(stage="ended", failed=failed, error=fault)
    tune.report({ENDED: 1.0, FAILED: failed or "", FAULT: fault or "", STORE: store_lost})


def _here(job: bytes) -> Any:
    """Trains and evaluates in this process."""
    from raysl.engine.cells.jobs import alone

    return while_reporting(lambda report: alone(job, lambda step, numbers: report({STEP: step, **numbers})))


def while_reporting(work: Callable[[Callable[[dict[str, Any]], None]], T]) -> T:
    """Runs ``work`` in a separate thread, passes its reports on to Tune, and returns its result.

    A report to Tune returns when the driver asks for the next one. A driver that was interrupted no longer does, and
    training that waited for it could not save first.
    """
    said = SimpleQueue[tuple[dict[str, Any] | None, Any, BaseException | None]]()

    def run() -> None:
        try:
            said.put((None, work(lambda numbers: said.put((numbers, None, None))), None))
        except BaseException as error:  # noqa: BLE001 - raised in the trial's thread
            said.put((None, None, error))

    threading.Thread(target=run, name="raysl-cell", daemon=True).start()
    while True:
        numbers, done, error = said.get()
        if error is not None:
            raise error
        if numbers is None:
            return cast(T, done)
        tune.report(numbers)


def _over_workers(key: str, job: bytes, team: Team) -> Any:
    if not _crews:
        _crews.append(Crew(team, "raysl.engine.cells.jobs:together", f"crew-{key}"))
    done = None
    for numbers, result in _crews[0].do(job):
        if numbers is not None:
            tune.report(numbers)
        done = result
    return done
