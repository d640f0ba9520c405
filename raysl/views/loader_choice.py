"""How many processes load, chosen from what an item costs to load and to use, how many are left, and the CPUs."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from typing import Any

from raysl.notes import say_once
from raysl.views.loaded import LoadSeconds
from raysl.views.loader_processes import AHEAD, SHARED

MOST_PROCESSES = 64
WARM_UP, MEASURED = 1, 4
"""Items that are left out, and that are measured."""
GAIN_SECONDS, GAIN_SHARE = 10.0, 0.05
"""Processes that would save less, of all that is left or of the time of an item, are not started: the first ones take
about three seconds of a CPU."""
BETTER = 0.97
"""One process more must shorten an item's time to this share."""


@dataclass(frozen=True)
class Costs:
    """Seconds of an item: wall and CPU to load and to use it. In the CPU time of using it all threads count."""

    load: float
    load_cpu: float
    use: float
    use_cpu: float

    def period(self, processes: int, cpus: int, beside: bool) -> float:
        """Expected seconds from one item to the next.

        Args:
            beside: without processes a thread loads while an item is used.
        """
        if not processes and not beside:
            return self.load + self.use
        busy = max(self.load, self.load_cpu) / max(processes, 1)
        return max(self.use, busy, (self.load_cpu + self.use_cpu) / cpus)


@dataclass(frozen=True)
class LoaderChoice:
    """How many processes load, and why.

    Attributes:
        processes: 0: the process that uses the items loads them.
        why: in words.
        costs: as measured; None: they were not.
        cpus: that this process may use.
        before: seconds from one item to the next without processes.
        after: with them; None: not measured.
    """

    processes: int
    why: str
    costs: Costs | None = None
    cpus: int = 0
    before: float | None = None
    after: float | None = None

    def record(self) -> dict[str, Any]:
        """Plain values for an attempt's record, seconds rounded to 0.1 ms."""
        costs = {} if self.costs is None else {f"{name}_seconds": value for name, value in asdict(self.costs).items()}
        found = {**costs, "seconds_before": self.before, "seconds_after": self.after}
        rounded = {name: round(value, 4) for name, value in found.items() if value is not None}
        return {"processes": self.processes, "why": self.why, "cpus": self.cpus, **rounded}


def choose(costs: Costs, cpus: int, left: int, most: int, *, beside: bool = False) -> LoaderChoice:
    """The fewest processes with which an item's time is as short as these CPUs allow; none if they would save little.

    Args:
        left: items still to load.
        most: processes at most.
        beside: without processes a thread loads while an item is used.
    """
    alone = costs.period(0, cpus, beside)
    best = 0
    for count in range(1, most + 1):
        if costs.period(count, cpus, beside) < BETTER * costs.period(best, cpus, beside):
            best = count
    saved = alone - costs.period(best, cpus, beside)
    if not best:
        why = f"{cpus} CPUs would be no faster with them"
    elif saved < GAIN_SHARE * alone or saved * left < GAIN_SECONDS:
        why, best = f"they would save {saved * left:.1f} s of the {left} that are left", 0
    else:
        why = f"{alone:.3g} s from one to the next without them, {alone - saved:.3g} expected"
    return LoaderChoice(best, why, costs, cpus, alone)


class Sample:
    """Sums over the items that are measured."""

    def __init__(self) -> None:
        self.count = 0
        self.load = self.load_cpu = self.use = self.cpu = 0.0

    def add(self, loading: LoadSeconds, used: float, cpu: float, beside: bool) -> None:
        """
        Args:
            cpu: of this process, from one item to the next.
            beside: a thread loaded: its CPU time is not known, and taken to be all of its time.
        """
        self.count += 1
        self.load += loading.wall
        self.load_cpu += loading.wall if beside else loading.cpu
        self.use += used
        self.cpu += cpu

    def costs(self) -> Costs:
        parts = (self.load, self.load_cpu, self.use, max(0.0, self.cpu - self.load_cpu))
        return Costs(*(part / self.count for part in parts))


def fitting_processes(asked: int, item_bytes: int, free: int, ahead: int = AHEAD) -> int:
    """How many loader processes may work without their items filling shared memory; 0: the caller loads itself.

    Each has ``ahead`` items in preparation, and one more is in use. An item without room kills its process.
    """
    return max(0, min(asked, (free // max(item_bytes, 1) - 1) // ahead))


def processes_that_fit(asked: int, item_bytes: int, ahead: int = AHEAD) -> int:
    """`fitting_processes` on this machine; says if they are fewer than ``asked``."""
    if not asked or not SHARED.is_dir():
        return asked
    free = shutil.disk_usage(SHARED).free
    fits = fitting_processes(asked, item_bytes, free, ahead)
    if fits < asked:
        say_once(
            f"{SHARED} has {free / 1e6:.0f} MB free, and batches have {item_bytes / 1e6:.0f} MB: {fits} loader "
            f"processes instead of {asked} (training.loader_workers); enlarge it (docker run --shm-size) for the others"
        )
    return fits
