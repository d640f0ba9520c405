"""Decodes videos in parallel processes; a decoder that kills its process costs one video, not the run."""

from __future__ import annotations

import multiprocessing
from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from raysl.data.decode_inspect import fill_video, fingerprint, inspect_video
from raysl.data.decode_pyav import VideoError
from raysl.data.frame_cache import FrameCache
from raysl.data.manifest_types import ManifestRow
from raysl.errors import RayslError
from raysl.machine import PROCESSES, ready_for_processes
from raysl.notes import collect, said, say_once
from raysl.signals import leave_ending_to_parent

# Imports happen once, in the server that the processes are forked from: otherwise every process of every pool, and
# every loader process, would import PyTorch.
multiprocessing.set_forkserver_preload([__name__, "raysl.views.loader"])

J = TypeVar("J", bound=Hashable)
R = TypeVar("R")
_J = TypeVar("_J", contravariant=True)
_R = TypeVar("_R", covariant=True)


class VideoWork(Protocol[_J, _R]):
    """What is done with each video of a run; it is sent to the processes."""

    def do(self, job: _J) -> _R:
        """One job, in any process."""

    def crashed(self, job: _J) -> _R:
        """The result, or an error, for a video on which the decoder crashed."""


@dataclass(frozen=True)
class Job:
    """One video to decode: for its manifest row, or, if that is known, only for the cache."""

    path: str
    row: ManifestRow | None = None


@dataclass(frozen=True)
class Work:
    """Data that all jobs of a run share."""

    root: Path
    fill: FrameCache | None

    def do(self, job: Job) -> ManifestRow:
        """One job.

        Raises:
            VideoError: the file system failed, or the file is not the one of its row.
        """
        if job.row is None:
            return inspect_video(self.root, job.path, self.fill)
        if self.fill is not None:
            fill_video(self.root, job.row, self.fill)
        return job.row

    def crashed(self, job: Job) -> ManifestRow:
        """The row of a video on which the decoder crashed.

        Raises:
            VideoError: it did not when its row was made.
        """
        if job.row is not None:
            raise VideoError(self.root / job.path, "the decoder crashes on it")
        content = fingerprint(self.root / job.path)
        return ManifestRow(job.path, 0, 0, (), 0, 0, 0.0, content, False, "the decoder crashes on it")


def run_jobs(work: VideoWork[J, R], jobs: Sequence[J], processes: int) -> Iterator[tuple[J, R]]:
    """Each job with its result, as they finish. With one process they run in this one, without protection from crashes.

    Raises:
        VideoError: see ``do`` and ``crashed`` of the work.
        RayslError: no process can be started.
    """
    if processes <= 1 or len(jobs) <= 1:
        yield from ((job, work.do(job)) for job in jobs)
        return
    left = dict.fromkeys(jobs)
    try:
        for job, result in _in_pool(work, list(left), min(processes, len(jobs))):
            del left[job]
            yield job, result
    except BrokenProcessPool:
        # It is unknown which of the videos in work crashed it: the remaining ones are decoded one at a time.
        yield from _one_by_one(work, list(left))


def _in_pool(work: VideoWork[J, R], jobs: Sequence[J], processes: int) -> Iterator[tuple[J, R]]:
    with _pool(work, processes) as pool:
        futures = {pool.submit(_do, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                yield futures[future], _result(future.result())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _one_by_one(work: VideoWork[J, R], jobs: Sequence[J]) -> Iterator[tuple[J, R]]:
    waiting = list(jobs)
    while waiting:
        with _pool(work, 1) as pool:
            _check_start(pool)
            try:
                while waiting:
                    result = _result(pool.submit(_do, waiting[0]).result())
                    yield waiting.pop(0), result
            except BrokenProcessPool:
                job = waiting.pop(0)
                yield job, work.crashed(job)


def _check_start(pool: ProcessPoolExecutor) -> None:
    """Checks that processes can be started at all, so that it must have been a video that ended one.

    Raises:
        RayslError: they cannot.
    """
    try:
        pool.submit(said).result()
    except BrokenProcessPool as error:
        raise RayslError(
            "the processes that decode videos end as they start; their output says why; --processes 1 starts none"
        ) from error


def _pool(work: VideoWork[Any, Any], processes: int) -> ProcessPoolExecutor:
    ready_for_processes()
    return ProcessPoolExecutor(processes, PROCESSES, _begin, (work,))


_work: VideoWork[Any, Any] | None = None


def _begin(work: VideoWork[Any, Any]) -> None:
    import torch

    global _work
    leave_ending_to_parent()
    collect()
    torch.set_num_threads(1)
    _work = work


Done = tuple[Any, tuple[str, ...]]
"""A result, and the notes of its process so far (`raysl.notes`)."""


def _do(job: Any) -> Done:
    if _work is None:
        raise RuntimeError("a worker process was not initialised")
    return _work.do(job), said()


def _result(done: Done) -> Any:
    result, notes = done
    say_once(*notes)
    return result
