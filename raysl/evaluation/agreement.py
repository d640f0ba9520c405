"""Failures in common: what fails on one rank is raised on all of them, so that none waits for a lost one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from raysl.distributed import broadcast_object, gather_objects, rank
from raysl.errors import RayslError

T = TypeVar("T")


def on_every_rank(function: Callable[[], T]) -> T:
    """``function()`` on every rank; it must not communicate.

    Raises:
        Exception: a rank's own failure, or else that of the lowest rank which failed.
    """
    result, failure = _attempt(function)
    failures = gather_objects(None if failure is None else _portable(failure))
    if failure is not None:
        raise failure
    for other in failures:
        if other is not None:
            raise other
    assert result is not None
    return result[0]


def on_first_rank(function: Callable[[], T]) -> T:
    """``function()`` on rank 0 alone; its result, or its failure, on every rank."""
    result, failure = _attempt(function) if rank() == 0 else (None, None)
    if failure is not None:
        broadcast_object((None, _portable(failure)))
        raise failure
    shared, other = broadcast_object((result, None))
    if other is not None:
        raise other
    value: T = shared[0]
    return value


def _attempt(function: Callable[[], T]) -> tuple[tuple[T] | None, Exception | None]:
    try:
        return (function(),), None
    except Exception as error:  # noqa: BLE001 - whatever it is, the callers raise it again once all ranks know
        return None, error


def _portable(error: Exception) -> RayslError:
    """An error that can be pickled to other ranks."""
    if isinstance(error, RayslError):
        return error
    return RayslError(f"rank {rank()} failed: {type(error).__name__}: {error}")
