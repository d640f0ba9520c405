"""Divides labelled videos into sides (train and test, or folds): whole groups, by class, drawn by hashes of names.

A *unit* is not divided: it is a group (a recording, a person, a scene), which may have videos of several classes, or a
single video.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

from raysl.errors import DataError

Units = Mapping[str, Mapping[str, int]]
"""From a unit to the number of its videos in each class."""

DRAWS = 20
"""Orders of the units to try, for the one that comes nearest to the shares; fewer if there are many units, which come
near in any order."""

REORDERINGS = 10
"""Attempts with one drawn order, before it is given up."""


@dataclass(frozen=True)
class Divisible:
    """Labelled videos to divide.

    Attributes:
        catalog: its name, for messages.
        noun: ``group`` or ``video``, for messages.
        labels: from path to class.
        unit_of: from path to unit.
    """

    catalog: str
    noun: str
    labels: Mapping[str, str]
    unit_of: Mapping[str, str]

    @cached_property
    def units(self) -> Units:
        units: dict[str, Counter[str]] = {}
        for path, name in self.labels.items():
            units.setdefault(self.unit_of[path], Counter())[name] += 1
        return units

    def divide(self, shares: Sequence[float], seed: int, why: str) -> dict[str, int]:
        """From path to side; see `divide`.

        Args:
            why: as for `refuse_few`.

        Raises:
            DataError: a class has fewer units than there are sides, or no division was found.
        """
        self.refuse_few(len(shares), why)
        sides = divide(self.units, shares, seed)
        if sides is None:
            raise DataError(
                f"{self.catalog}: no division into {len(shares)} sides was found that has every class on every side: "
                "some groups have many classes, and some classes are in few groups; try another `split_seed`, fewer "
                "folds, or leave classes out with `classes`"
            )
        return {path: sides[unit] for path, unit in self.unit_of.items()}

    def refuse_few(self, least: int, why: str) -> None:
        """Refuses a class with fewer units than ``least``.

        Raises:
            DataError: naming the class; ``why`` continues "class walk has 2 groups".
        """
        held = Counter(name for names in self.units.values() for name in names)
        for name in sorted(held):
            if held[name] < least:
                number = f"one {self.noun}" if held[name] == 1 else f"{held[name]} {self.noun}s"
                example = next(path for path, label in self.labels.items() if label == name)
                raise DataError(
                    f"{self.catalog}: class {name} has {number} ({example}), {why}; add more, or leave the class out "
                    "with `classes`"
                )


def divide(units: Units, shares: Sequence[float], seed: int) -> dict[str, int] | None:
    """From unit to side, such that every class has videos on every side, and about the side's share of its videos.

    Units are placed one after the other in a drawn order, each on the side where its classes lack most, as long as
    enough units are left for each class to reach the sides on which it has none. If that is impossible, it starts again
    with the units of those classes first.

    Args:
        shares: of the sides; they sum to 1.

    Returns:
        None if no division was found. One is always found if every class has at least as many units as there are sides
        and no unit has two classes.
    """
    best: tuple[float, dict[str, int]] | None = None
    for draw in range(min(DRAWS, max(1, 4000 // len(units)))):
        order = _drawn(units, f"{seed}\x1f{draw}")
        for _ in range(REORDERINGS):
            placed, unserved = _place(units, order, shares)
            if not unserved:
                distance = _distance(units, placed, shares)
                if best is None or distance < best[0]:
                    best = distance, placed
                break
            order.sort(key=lambda unit: unserved.isdisjoint(units[unit]))
    return None if best is None else best[1]


def _drawn(units: Units, key: str) -> list[str]:
    """The units in an order that depends only on their names and the key."""
    return sorted(units, key=lambda unit: blake2b(f"{key}\x1f{unit}".encode(), digest_size=16).digest())


def _videos(units: Units) -> Counter[str]:
    """Videos of each class."""
    videos: Counter[str] = Counter()
    for held in units.values():
        videos.update(held)
    return videos


def _place(units: Units, order: Sequence[str], shares: Sequence[float]) -> tuple[dict[str, int], set[str]]:
    """The sides of the units in this order, and the classes because of which a unit got none."""
    sides = range(len(shares))
    videos, left = _videos(units), Counter(name for held in units.values() for name in held)
    lacking = {name: set(sides) for name in left}
    filled: list[Counter[str]] = [Counter() for _ in sides]
    total = [0 for _ in sides]
    placed: dict[str, int] = {}

    def cost(side: int, held: Sequence[tuple[str, int]]) -> tuple[float, float, int]:
        # The increase of each class's squared distance from the side's share of it; then the emptiest side.
        added = 0.0
        for name, count in held:
            part = count / videos[name]
            added += part * (2 * (filled[side][name] / videos[name] - shares[side]) + part)
        return round(added, 12), total[side] / shares[side], side

    for unit in order:
        held = sorted(units[unit].items())
        free = [side for side in sides if all(len(lacking[name] - {side}) < left[name] for name, _ in held)]
        if not free:
            return {}, {name for name, _ in held if len(lacking[name]) == left[name]}
        best = min(free, key=lambda side: cost(side, held))
        placed[unit] = best
        for name, count in held:
            filled[best][name] += count
            total[best] += count
            left[name] -= 1
            lacking[name].discard(best)
    return placed, set()


def _distance(units: Units, placed: Mapping[str, int], shares: Sequence[float]) -> float:
    """Squared distance of all classes from the shares of the sides."""
    videos = _videos(units)
    filled: Counter[tuple[str, int]] = Counter()
    for unit, side in placed.items():
        for name, count in units[unit].items():
            filled[name, side] += count
    return round(
        sum(
            (filled[name, side] / videos[name] - share) ** 2
            for name in sorted(videos)
            for side, share in enumerate(shares)
        ),
        9,
    )
