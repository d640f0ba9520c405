"""Which run works on a cell, so that two runs on one store share its cells in place of computing each twice."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raysl.errors import RayslError, StorageError, StoreLostError
from raysl.results import Store
from raysl.results.encoding import UnreadableError, read_json, to_json
from raysl.results.folder import HEARTBEAT_LIMIT
from raysl.training.heartbeat import Heartbeat

CLAIMED = "another run computes it"


class ClaimedError(RayslError):
    """Another run works on the cell: it is left to it."""


@dataclass(frozen=True)
class Claim:
    """What a run says of a cell that it works on.

    Attributes:
        run: its name.
        time: when it last said so, in seconds since 1970 by its machine's clock.
        since: when it began.
        held: it saw no other claim, and computes.
        process: machine, process id and start of the process; empty where that is not known.
    """

    run: str
    time: float
    since: float
    held: bool
    process: tuple[str, ...] = ()

    def is_dead(self, now: float) -> bool:
        """It was not renewed lately, by this machine's clock, or its process was on this machine and has ended."""
        if abs(now - self.time) >= HEARTBEAT_LIMIT:
            return True
        if not self.process or self.process[0] != _machine():
            return False
        return _process(self.process[1]) != self.process


def claims(store: Store, cell: str) -> list[Claim]:
    """All claims on the cell's folder of this name, dead ones too; one that is being written may be left out."""
    place, found = store.place.below(f"claims/{cell}"), []
    for path in place.sizes():
        try:
            said = read_json(place, path) or {}
            times = float(said["time"]), float(said["since"])
        except (UnreadableError, KeyError, TypeError, ValueError):
            continue  # cut short while it was written: its run writes it again
        process = tuple(map(str, said.get("process") or ()))
        found.append(Claim(path.removesuffix(".json"), *times, bool(said.get("held")), process))
    return found


def _machine() -> str:
    """This machine since it was started, and this container of it: process ids mean something there alone."""
    try:
        return (
            f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}-{Path('/proc/self/ns/pid').stat().st_ino}"
        )
    except OSError:
        return ""


def _process(pid: str) -> tuple[str, ...]:
    """A process of this machine that lives; empty where it does not, or nothing is known of it."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ()
    return () if state in "ZX" else (_machine(), pid, rest[18])


def others(store: Store, cell: str, run: str) -> list[Claim]:
    """Claims of other runs whose processes live, as far as is known here."""
    now = time.time()
    return [one for one in claims(store, cell) if one.run != run and not one.is_dead(now)]


@contextmanager
def claimed(store: Store, cell: str, run: str) -> Iterator[None]:
    """Claims a cell for a run while the body computes it.

    Each run writes its claim before it reads those of others. The one that began to compute keeps the cell, and of two
    that begin together the first by their clocks.

    Raises:
        ClaimedError: another run has it.
        StorageError: the claim cannot be written.
    """
    place, name, since = store.place.below(f"claims/{cell}"), f"{run}.json", time.time()

    def write(held: bool) -> None:
        process = _process(str(os.getpid()))
        place.write(name, to_json({"time": time.time(), "since": since, "held": held, "process": process}))

    write(False)
    first = [one for one in others(store, cell, run) if one.held or (one.since, one.run) < (since, run)]
    if first:
        place.delete(name)
        raise ClaimedError(f"{CLAIMED} ({first[0].run})")

    def beat(state: dict[str, Any]) -> None:
        write(True)

    try:
        with Heartbeat(beat):
            yield
    except StoreLostError:  # says more than that the claim cannot be deleted either: it dies with this process
        with suppress(StorageError):
            place.delete(name)
        raise
    except BaseException:
        place.delete(name)
        raise
    place.delete(name)


def living(store: Store, cell: str, run: str) -> list[Claim]:
    """As `others`; dead claims are removed."""
    now, found = time.time(), [one for one in claims(store, cell) if one.run != run]
    for one in found:
        if one.is_dead(now):
            store.place.delete(f"claims/{cell}/{one.run}.json")
    return [one for one in found if not one.is_dead(now)]
