"""Items that were loaded: what making them took, and iterators of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class LoadSeconds(NamedTuple):
    """What making one item took.

    Attributes:
        wall: seconds.
        cpu: seconds of all threads of the process.
        parts: wall seconds by part: ``decode``, ``storage`` (reading the frame cache, waiting for files), ``collate``
            (passing the item on); the rest is augmentation.
    """

    wall: float
    cpu: float
    parts: dict[str, float]


class Loaded(NamedTuple, Generic[T]):
    """An item, and what making it took."""

    value: T
    seconds: LoadSeconds


def parts_of(load: object) -> dict[str, float]:
    """`LoadSeconds.parts` of the item that ``load`` made last; empty if it does not measure them."""
    measure: Callable[[], dict[str, float]] | None = getattr(load, "parts", None)
    return {} if measure is None else measure()


def first(keys: Iterator[T]) -> Iterator[T]:
    """The next one, if there is any."""
    for key in keys:
        yield key
        return


def timed(items: Iterator[T]) -> Iterator[tuple[T, float]]:
    """Items, with the seconds for which the consumer waited for each."""
    while True:
        began = time.perf_counter()
        try:
            item = next(items)
        except StopIteration:
            return
        yield item, time.perf_counter() - began


def finished(items: Iterator[Loaded[T]], finish: Callable[[T], T]) -> Iterator[Loaded[T]]:
    """Items after ``finish``, which a thread calls one item ahead."""

    def following() -> Loaded[T] | None:
        item = next(items, None)
        return None if item is None else item._replace(value=finish(item.value))

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="finish-clips") as thread:
        ahead = thread.submit(following)
        while (item := ahead.result()) is not None:
            ahead = thread.submit(following)
            yield item
