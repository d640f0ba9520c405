"""Inputs for a property of all inputs: drawn from a fixed seed, one in four numbers at an end of its range.

Hypothesis reads all modules of the suite for constants that it may try, ten seconds in every process: too much for
five tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from raysl.streams import stream


def drawn(count: int, *ranges: tuple[int, int] | tuple[float, float]) -> Iterator[tuple[Any, ...]]:
    """So many tuples with a number of each range, ends included; whole numbers where the ends are."""
    for case in range(count):
        generator = stream("drawn", case, len(ranges))
        yield tuple(_number(low, high, int(generator.integers(8)), generator.random()) for low, high in ranges)


def _number(low: float, high: float, at_end: int, where: float) -> float:
    if at_end < 2:
        return (low, high)[at_end]
    return low + int(where * (high - low + 1)) if isinstance(low, int) else low + where * (high - low)
