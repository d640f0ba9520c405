"""The progress of a run's cells, from their latest reports, and an estimate of the time left."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from raysl.results import StoredCell
from raysl.work.compute import workers_of
from raysl.work.events import CellProgress, Overview, Running


def overview(
    said: Mapping[str, CellProgress],
    tasks: Sequence[StoredCell],
    *,
    done_before: int,
    failed_before: int,
    later: int = 0,
    at_once: int,
    now: float,
    began: float,
    waiting: str = "",
) -> Overview:
    """Summarises the latest reports of cells, by `Cell.key`.

    Args:
        later: cells that wait for others, or for data; how long these take is not known yet.
    """
    known = {task.cell.key: said[task.cell.key] for task in tasks if task.cell.key in said}
    ended = [one for one in known.values() if one.ended]
    stopped = sum(one.error is not None for one in ended)
    failed = sum(one.failed is not None for one in ended)
    running = tuple(
        Running(task.cell.title, one.stage, now - (one.started if one.staged is None else one.staged), one.progress)
        for task in tasks
        if (one := known.get(task.cell.key)) is not None and not one.ended
    )
    return Overview(
        elapsed=now - began,
        done=done_before + len(ended) - stopped - failed,
        failed=failed_before + failed,
        stopped=stopped,
        total=done_before + failed_before + len(tasks) + later,
        running=running,
        seconds_left=seconds_left(known, tasks, at_once, now),
        waiting=waiting,
    )


def seconds_left(
    said: Mapping[str, CellProgress], tasks: Sequence[StoredCell], at_once: int, now: float
) -> float | None:
    """From how long cells of the same kind took, or will take by their own word; None while that is not known.

    Cells of one kind (trained, fine-tuned or neither, with the same number of evaluations and workers) count as equally
    long, and as many run at the same time as fit: good enough to decide whether to wait.
    """
    lengths: dict[tuple[str, int, int], list[float]] = {}
    for task in tasks:
        one = said.get(task.cell.key)
        if one is not None and one.total_seconds is not None:
            lengths.setdefault(_kind(task), []).append(one.total_seconds)
    usual = {kind: statistics.fmean(alike) for kind, alike in lengths.items()}
    rest = 0.0
    for task in tasks:
        one = said.get(task.cell.key)
        if one is not None and one.ended:
            continue
        own = None if one is None else one.total_seconds
        total = usual.get(_kind(task)) if own is None else own
        if total is None:
            return None
        rest += max(0.0, total - (0.0 if one is None else now - one.started))
    return rest / max(1, at_once)


def _kind(task: StoredCell) -> tuple[str, int, int]:
    return task.cell.stage if task.to_train else "", len(task.to_compute), workers_of(task)
