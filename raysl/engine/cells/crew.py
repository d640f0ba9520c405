"""The workers of a cell: a Train run in the trial's placement group that stays alive and does one job after the other.

Starting processes, importing PyTorch and building a process group takes longer than many cells. So one Train run
serves all cells of a trial's actor (Tune reuses it for cells of equal resources), and its workers take their jobs from
a small actor, the desk.

The run's workers use the placement group of the trial: see `raysl.engine.cells.train_in_place`.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import pickle
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import ray
from ray.exceptions import GetTimeoutError
from ray.util import get_current_placement_group, placement_group_table
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

GPU_SHARE = "RAYSL_GPU_SHARE"
"""`raysl.training.memory.GPU_SHARE`, which is imported later: it needs PyTorch."""

LOST_PROCESSES = 2
"""How many times in a row a cell is resumed from its checkpoint after it lost a process without making progress."""

CHECK_SECONDS = 1.0
"""Seconds between two checks that the Train run is alive and the reservation complete."""
NODE_SECONDS = 20.0
"""Seconds that a reservation may lack a node. Train would wait for such a node for ever."""
RESERVATION_LOST = "a node of its reservation is gone"


@dataclass(frozen=True)
class Team:
    """What the workers of a cell get.

    Attributes:
        size: DDP workers.
        bundle: resources of each, as Ray takes them.
        storage: ``storage_path`` and ``storage_filesystem`` for Ray's own files.
    """

    size: int
    bundle: dict[str, float]
    storage: dict[str, Any]

    @property
    def on_gpu(self) -> bool:
        return "GPU" in self.bundle

    @property
    def backend(self) -> str:
        """NCCL uses each GPU once; workers that share one communicate through the host.

        What is on the host goes through it anyway: a rank that asks another need not wait for its GPU.
        """
        if not self.on_gpu:
            return "gloo"
        return "cpu:gloo,cuda:nccl" if self.bundle["GPU"] >= 1 else "cpu:gloo,cuda:gloo"


@dataclass
class _Job:
    number: int
    content: bytes
    begun: int = 0
    by: str = ""
    """The workers that have it; others, if they are started again."""
    at: float = 0.0
    lost: str = ""
    reports: list[dict[str, float]] = field(default_factory=list)
    result: Any = None
    ended: bool = False


class Desk:
    """The actor's class: the trial gives a job, the workers take it, rank 0 reports its progress and its end."""

    def __init__(self) -> None:
        self._job = _Job(0, b"", ended=True)
        self._changed = asyncio.Condition()

    async def give(self, content: bytes) -> None:
        """By the trial: the next job."""
        async with self._changed:
            self._job = _Job(self._job.number + 1, content)
            self._changed.notify_all()

    async def next_job(self, workers: str, rank: int, after: int) -> tuple[int, bytes]:
        """By every rank of ``workers``: the job after the one that they did last; waits for it.

        Restarted workers resume the job that did not end. If it made no progress several times in a row, it ends here,
        without a result. The other ranks follow rank 0.
        """
        async with self._changed:
            if rank:
                await self._changed.wait_for(lambda: self._job.number > after and self._job.by == workers)
                return self._job.number, self._job.content
            while True:
                await self._changed.wait_for(lambda: self._job.number > after and not self._job.ended)
                self._job.begun += 1
                self._job.ended = self._job.begun > LOST_PROCESSES + 1
                if not self._job.ended:
                    self._job.by = workers
                self._changed.notify_all()
                if not self._job.ended:
                    return self._job.number, self._job.content

    async def report(self, number: int, at: float, numbers: dict[str, float]) -> None:
        """By rank 0: how far the job is; ``at`` grows with what need not be done again."""
        async with self._changed:
            if number != self._job.number:
                return
            if at > self._job.at:
                self._job.at, self._job.begun = at, 1
            self._job.reports.append(numbers)
            self._changed.notify_all()

    async def lose(self, number: int, reason: str) -> None:
        """By a rank that cannot continue: Train restarts all of them."""
        if number == self._job.number:
            self._job.lost = reason

    async def end(self, number: int, result: Any) -> None:
        """By rank 0: the job's result."""
        async with self._changed:
            if number == self._job.number:
                self._job.result, self._job.ended = result, True
                self._changed.notify_all()

    async def events(self, seen: int) -> tuple[list[dict[str, float]], bool, Any, str]:
        """By the trial: reports after the first ``seen``, whether the job ended, its result, why workers were lost."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._job.reports) > seen or self._job.ended)
            return self._job.reports[seen:], self._job.ended, self._job.result, self._job.lost


@dataclass(frozen=True)
class Done:
    """How a job ended.

    Attributes:
        failed: why the cell or an evaluation failed, as its result.
        fault: why something could not be done this time.
        not_here: ids of the nodes that lack the data; others may have it.
        store_lost: the fault is the store's.
        more: it saved a checkpoint and ended, to continue with more workers.
    """

    failed: str | None = None
    fault: str | None = None
    not_here: tuple[str, ...] = ()
    store_lost: bool = False
    more: bool = False


class LostError(Exception):
    """The workers of a job were lost repeatedly without progress in between."""


class ReservationError(Exception):
    """The trial's placement group is incomplete and must be requested again."""


class Crew:
    """A Train run in the placement group of this trial, and the desk of its workers.

    Args:
        work: ``module:function``, called with a job's content on every rank. By name, since it imports
            PyTorch and more, which this process and the desk do not need.
    """

    def __init__(self, team: Team, work: str, name: str) -> None:
        self.team = team
        # On the trial's node, so that the desk is not lost with another one.
        here = PlacementGroupSchedulingStrategy(cast(Any, get_current_placement_group()), 0)
        self._desk = cast(Any, ray.remote(num_cpus=0, scheduling_strategy=here)(Desk)).remote()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._fit, args=(work, name), name="raysl-crew", daemon=True)
        self._thread.start()

    def _fit(self, work: str, name: str) -> None:
        try:
            _trainer(self.team, {"pickled": pickle.dumps((work, self._desk, self.team))}, name).fit()
        except Exception as error:  # noqa: BLE001 - raised by `do`, in the trial's thread
            self._error = error

    def do(self, content: bytes) -> Iterator[tuple[dict[str, float] | None, Any]]:
        """Gives the workers a job; yields its reports with None, then None with what rank 0 returned.

        Raises:
            LostError: they were lost `LOST_PROCESSES` + 1 times in a row without progress.
            ReservationError: a node is gone, and no other came.
            ray.exceptions.RayError, ray.train.TrainingFailedError: the Train run itself is gone.
        """
        ray.get(self._desk.give.remote(content))
        seen = 0
        while True:
            reports, ended, result, lost = self._hear(seen)
            for one in reports:
                yield one, None
            seen += len(reports)
            if ended and result is None:
                raise LostError(lost)
            if ended:
                yield None, result
                return

    def _hear(self, seen: int) -> tuple[list[dict[str, float]], bool, Any, str]:
        heard, whole = self._desk.events.remote(seen), time.monotonic()
        while True:
            try:
                news: tuple[list[dict[str, float]], bool, Any, str] = ray.get(heard, timeout=CHECK_SECONDS)
                return news
            except GetTimeoutError:
                if not self._thread.is_alive():
                    raise self._error or RuntimeError("the Train run ended before its job") from None
                if _is_whole():
                    whole = time.monotonic()
                elif time.monotonic() - whole > NODE_SECONDS:
                    raise ReservationError(RESERVATION_LOST) from None


def _is_whole() -> bool:
    """Whether every bundle of this trial's placement group is on a node."""
    state: str = placement_group_table(cast(Any, get_current_placement_group()))["state"]
    return state == "CREATED"


class Worker:
    """A rank's side of the desk.

    Attributes:
        nodes: id of each rank's node.
    """

    def __init__(self, desk: Any, number: int, rank: int, nodes: Sequence[str]) -> None:
        self._desk, self._number, self.rank, self.nodes = desk, number, rank, nodes

    def report(self, at: float, numbers: dict[str, float]) -> None:
        """Reports on rank 0 how far the job is; never waits. ``at`` grows with what need not be done again."""
        if self.rank == 0:
            self._desk.report.remote(self._number, at, numbers)


def _work(config: dict[str, Any]) -> None:
    """What every rank does: one job after the other, until its process ends with the trial's actor."""
    from raysl.distributed import broadcast_object, gather_objects, rank

    named, desk, team = pickle.loads(config["pickled"])
    module, _, function = named.partition(":")
    work: Callable[[bytes, Worker], Done] = getattr(importlib.import_module(module), function)
    settle(team)
    this, workers, number = rank(), broadcast_object(uuid.uuid4().hex), 0
    nodes = gather_objects(ray.get_runtime_context().get_node_id())
    while True:
        number, content = ray.get(desk.next_job.remote(workers, this, number))
        try:
            result = work(content, Worker(desk, number, this, nodes))
        except Exception as error:
            ray.get(desk.lose.remote(number, str(error)))
            raise
        if this == 0:
            ray.get(desk.end.remote(number, result))


def _trainer(team: Team, config: dict[str, Any], name: str) -> Any:
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig

    from raysl.engine.cells.train_in_place import TrainerInPlace

    # Ray declares its Train V1 types here, and runs V2.
    return TrainerInPlace(
        cast(Any, _work),
        # The trial reads the configuration too: pickled, it need not import what the workers do.
        train_loop_config=config,
        scaling_config=ScalingConfig(num_workers=team.size, use_gpu=team.on_gpu, resources_per_worker=team.bundle),
        torch_config=TorchConfig(backend=team.backend),
        run_config=RunConfig(
            name=name,
            # Workers are restarted without limit: the desk counts for each job. What the controller cannot
            # do, Tune retries, with another reservation.
            failure_config=cast(Any, FailureConfig)(max_failures=-1, controller_failure_limit=0),
            **team.storage,
        ),
    )


def settle(team: Team) -> None:
    """What a process of a trial does first.

    Its temporary files go where the driver removes them: Ray kills processes without asking them. And where workers
    compute on CPUs, it sees no GPU of its node. Where they share a GPU, it keeps to its part of the memory.
    """
    if "storage_path" in team.storage and "storage_filesystem" not in team.storage:
        tempfile.tempdir = team.storage["storage_path"]
    if not team.on_gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    os.environ[GPU_SHARE] = f"{min(1.0, team.bundle.get('GPU', 1.0)):g}"
