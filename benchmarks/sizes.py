"""What is measured at several sizes, and how fast its cost grows: used by `growth.py`.

A module ``growth_PART.py`` has the table ``MEASURES``, and where something is compared with a peer a function
``figures(quick)``. `growth.py` finds these modules by their names, and measures each size in a process of its own.
"""

from __future__ import annotations

import gc
import math
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

Work = Callable[[], object]
"""What is measured. Where it returns a mapping from names to numbers (requests, bytes), these are measured too."""

MOST_CALLS, ENOUGH_SECONDS = 5, 1.0


@dataclass(frozen=True)
class Measure:
    """Something whose cost is measured at several sizes.

    Attributes:
        prepare: from a size and an empty folder to the work; what it does itself is not measured. It imports what the
            work needs, so that the table can be read without.
        of: what the size counts, for example ``rows``.
        sizes: ascending, each at least twice the one before.
        quick: those of ``--quick``.
        goal: largest slope that is aimed at; None: told, not judged.
        repeat: whether short work is prepared and called several times; else once. A second call on the same objects
            would find caches that a command, which calls it once, does not have.
        goals: the same as ``goal`` for numbers that the work returns; others are told, not judged.
    """

    prepare: Callable[[int, Path], Work]
    of: str
    sizes: tuple[int, ...]
    quick: tuple[int, ...]
    goal: float | Literal["n log n"] | None = "n log n"
    repeat: bool = True
    goals: Mapping[str, float] = field(default_factory=dict)


class Cost(NamedTuple):
    """What one size costs.

    Attributes:
        seconds: CPU seconds of the process and of its children, the median over calls.
        megabytes: peak of the process, whole.
        counted: the numbers that the work returned.
    """

    seconds: float
    megabytes: float
    counted: dict[str, float]


def cost(measure: Measure, size: int, folder: Path) -> Cost:
    """Prepares and calls the work, first at the smallest size (imports, caches of code), then at this one."""
    _prepared(measure, measure.quick[0], folder / "warm-up")()
    gc.set_threshold(10_000, *gc.get_threshold()[1:])  # as the command line
    spent: list[float] = []
    returned: Any = None
    while not spent or (measure.repeat and len(spent) < MOST_CALLS and sum(spent) < ENOUGH_SECONDS):
        work = _prepared(measure, size, folder / f"measured-{len(spent)}")
        before = _cpu_seconds()
        returned = work()
        spent.append(_cpu_seconds() - before)
        del work
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    counted = returned if isinstance(returned, Mapping) else {}
    return Cost(statistics.median(spent), peak, {name: float(number) for name, number in counted.items()})


def _prepared(measure: Measure, size: int, folder: Path) -> Work:
    folder.mkdir(parents=True)
    return measure.prepare(size, folder)


def _cpu_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def slope(sizes: list[int], costs: list[float]) -> float:
    """The exponent of the size: slope of the least-squares line through the logarithms."""
    floor = 1e-9
    xs, ys = [math.log(size) for size in sizes], [math.log(max(one, floor)) for one in costs]
    return statistics.linear_regression(xs, ys).slope


def bound(goal: float | Literal["n log n"] | None, sizes: list[int]) -> float | None:
    """A goal as a number: the exponent of n log n depends on the sizes, and is 1.15 from a hundred to ten thousand."""
    return round(slope(sizes, [size * math.log(size) for size in sizes]), 2) if goal == "n log n" else goal
