"""Which run works on what, so that two runs on one store share its cells instead of computing each twice.

Nothing here compares the clocks of two machines. Numbers that each run draws after it has seen those of the others
(Lamport's bakery) decide which run was first, and the store's clock decides which is alive.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raysl.errors import RayslError, StorageError, StoreLostError
from raysl.results import Store
from raysl.results.encoding import UnreadableError, read_json, to_json
from raysl.results.folder import HEARTBEAT_LIMIT
from raysl.results.place import Place
from raysl.training.heartbeat import Heartbeat

CLAIMED = "another run computes it"

CLAIMS = "claims"
"""Folder of a store."""

CHECK_SECONDS = 0.1
"""Seconds between two checks of a claim while its number is drawn, or while it briefly keeps others out."""

_held: Counter[str] = Counter()
"""Claims that this process holds, by their addresses."""


class ClaimedError(RayslError):
    """Another run works on the cell, which is left to that run."""


@dataclass(frozen=True)
class Claim:
    """A run's claim on what it works on.

    Attributes:
        run: its name.
        number: of two claims the one with the lower number counts; None while it is being drawn.
        since: when it began, in seconds since 1970 by its machine's clock: for people.
        age: seconds since it was last renewed, by the store's clock.
        process: machine, process id and start of the process; empty where that is not known.
        address: of its file.
    """

    run: str
    number: int | None
    since: float
    age: float
    process: tuple[str, ...] = ()
    address: str = ""

    @property
    def is_dead(self) -> bool:
        """It was not renewed lately, or its process was on this machine and has ended."""
        if abs(self.age) >= HEARTBEAT_LIMIT:
            return True
        if not self.process or self.process[0] != _machine():
            return False
        if self.process[1] == str(os.getpid()) and self.address not in _held:
            return True  # its run in this process has ended, and could not take it back
        return _process(self.process[1]) != self.process


def claims(store: Store, name: str, but: str = "") -> list[Claim]:
    """All claims on the cell's folder of this name, or on another claimed name, including dead ones.

    One that is being written may be missing.

    Args:
        but: a run whose claim is not read.
    """
    place, found = store.place.below(f"{CLAIMS}/{name}"), []
    for path in place.sizes():
        if path == f"{but}.json":
            continue
        try:
            said = read_json(place, path) or {}
            written, since = place.written(path), float(said["since"])
        except (UnreadableError, KeyError, TypeError, ValueError):
            continue  # cut short while it was written: its run writes it again
        if written is not None:
            run, process = path.removesuffix(".json"), tuple(map(str, said.get("process") or ()))
            age = place.now() - written
            found.append(Claim(run, said.get("number", 0), since, age, process, _address(place, run)))
    return found


def _address(place: Place, run: str) -> str:
    return f"{place.shown}/{run}.json"


def _machine() -> str:
    """Identifies this machine's boot and container: process ids are valid only there."""
    try:
        return (
            f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}-{Path('/proc/self/ns/pid').stat().st_ino}"
        )
    except OSError:
        return ""


def _process(pid: str) -> tuple[str, ...]:
    """A living process of this machine; empty if it has ended or is unknown."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ()
    return () if state in "ZX" else (_machine(), pid, rest[18])


def others(store: Store, name: str, run: str) -> list[Claim]:
    """Claims of other runs with living processes, as far as is known here."""
    return [one for one in claims(store, name, run) if not one.is_dead]


def living(store: Store, name: str, run: str) -> list[Claim]:
    """As `others`; dead claims are removed."""
    found = claims(store, name, run)
    for one in found:
        if one.is_dead:
            store.place.delete(f"{CLAIMS}/{name}/{one.run}.json")
    return [one for one in found if not one.is_dead]


class _Own:
    """A claim of this process."""

    def __init__(self, store: Store, name: str, run: str) -> None:
        self.store, self.name, self.run, self.since = store, name, run, time.time()
        self.place = store.place.below(f"{CLAIMS}/{name}")

    def write(self, number: int | None) -> None:
        said = {"time": time.time(), "since": self.since, "number": number, "process": _process(str(os.getpid()))}
        self.place.write(f"{self.run}.json", to_json(said))

    def draw(self) -> int:
        """A number that is higher than all that are drawn.

        Raises:
            ClaimedError: another run has a lower one.
        """
        self.write(None)
        number = 1 + max((one.number or 0 for one in others(self.store, self.name, self.run)), default=0)
        self.write(number)
        while True:
            seen = others(self.store, self.name, self.run)
            first = [one for one in seen if one.number is not None and (one.number, one.run) < (number, self.run)]
            if first:
                raise ClaimedError(f"{CLAIMED} ({first[0].run})")
            if all(one.number is not None for one in seen):
                return number
            time.sleep(CHECK_SECONDS)

    @contextmanager
    def held(self) -> Iterator[None]:
        """In its body the claim is valid, unless its process ends; afterwards it is deleted."""
        address = _address(self.place, self.run)
        _held[address] += 1
        lost = False
        try:
            yield
        except StoreLostError:  # says more than a failed deletion of the claim
            lost = True
            raise
        finally:
            _held[address] -= 1
            if not _held[address]:
                del _held[address]
                with suppress(*[StorageError] if lost else []):
                    self.place.delete(f"{self.run}.json")


@contextmanager
def claimed(store: Store, name: str, run: str) -> Iterator[None]:
    """Claims a cell's folder for a run while the body computes it; other processes of the run may claim it too.

    Raises:
        ClaimedError: another run has it.
        StorageError: the claim cannot be written.
    """
    own = _Own(store, name, run)
    with own.held():
        number = own.draw()

        def beat(state: dict[str, Any]) -> None:
            own.write(number)

        with Heartbeat(beat):
            yield


@contextmanager
def in_turn(store: Store, name: str, run: str) -> Iterator[None]:
    """Waits until no other run is in such a body, which takes less time than a heartbeat."""
    own = _Own(store, name, run)
    while True:
        with own.held():
            try:
                own.draw()
            except ClaimedError:
                entered = False
            else:
                entered = True
                yield
        if entered:
            return
        time.sleep(CHECK_SECONDS)


@contextmanager
def announced(store: Store, name: str, run: str) -> Iterator[None]:
    """Announces that a run works on something that it shares with others; they see it by `others`."""
    own = _Own(store, name, run)

    def beat(state: dict[str, Any]) -> None:
        own.write(1)

    with own.held():
        own.write(1)
        with Heartbeat(beat):
            yield


def end_killed(store: Store, run: str) -> None:
    """Releases the claims of a run whose processes were killed."""
    for path in store.place.sizes(CLAIMS):
        folder, _, file = path.removeprefix(f"{CLAIMS}/").rpartition("/")
        if file == f"{run}.json":
            store.named(folder).end_attempts()
            store.place.delete(path)
