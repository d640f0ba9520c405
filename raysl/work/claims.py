"""Which run works on a cell, so that two runs on one store share its cells in place of computing each twice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from raysl.errors import RayslError
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
    """

    run: str
    time: float
    since: float
    held: bool


def claims(store: Store, cell: str) -> list[Claim]:
    """All claims on the cell's folder of this name, dead ones too; one that is being written may be left out."""
    place, found = store.place.below(f"claims/{cell}"), []
    for path in place.sizes():
        try:
            said = read_json(place, path) or {}
            times = float(said["time"]), float(said["since"])
        except (UnreadableError, KeyError, TypeError, ValueError):
            continue  # cut short while it was written: its run writes it again
        found.append(Claim(path.removesuffix(".json"), *times, bool(said.get("held"))))
    return found


def others(store: Store, cell: str, run: str) -> list[Claim]:
    """Claims of other runs that were renewed lately, by this machine's clock."""
    now = time.time()
    return [one for one in claims(store, cell) if one.run != run and abs(now - one.time) < HEARTBEAT_LIMIT]


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
        place.write(name, to_json({"time": time.time(), "since": since, "held": held}))

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
    finally:
        place.delete(name)


def release_dead(store: Store, cell: str, run: str) -> None:
    """Removes claims of other runs that are not renewed any more."""
    place, alive = store.place.below(f"claims/{cell}"), {one.run for one in others(store, cell, run)}
    for one in claims(store, cell):
        if one.run not in {run, *alive}:
            place.delete(f"{one.run}.json")
