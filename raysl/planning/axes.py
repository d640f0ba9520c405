"""The axes of a search: the keys to vary, their distributions and conditions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from raysl.results.search_folder import Value

Point = dict[str, Value]
"""From parameter to value. A parameter is an axis, or, for an axis of subsets, ``<axis>.<member>``: in or out."""

DIGITS = 3
"""Significant digits to which sampled numbers are rounded in configurations, so that people can copy them."""


class Suggests(Protocol):
    """Draws values: a trial of Optuna, or anything else with these methods."""

    def suggest_categorical(self, name: str, choices: tuple[Any, ...]) -> Any: ...

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float: ...

    def suggest_int(self, name: str, low: int, high: int) -> int: ...


@dataclass(frozen=True)
class Axis:
    """One axis of a search.

    Attributes:
        key: dotted, as a row writes it.
        kind: choice, uniform, loguniform, integers, subsets.
        values: of choice and subsets: from name to value.
        low, high: of the numbers.
        when: from axis to names of values.
    """

    key: str
    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)
    low: float = 0.0
    high: float = 0.0
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(f"{self.key}.{name}" for name in self.values) if self.kind == "subsets" else (self.key,)

    @property
    def shown(self) -> str:
        """``loguniform 0.05 to 1``, ``choice simclr, moco``"""
        if self.kind in ("choice", "subsets"):
            return f"{self.kind} {', '.join(self.values)}"
        return f"{self.kind} {self.low:g} to {self.high:g}"

    def chosen(self, point: Point) -> set[str]:
        """Names of the values that a point has on this axis; empty if the axis is closed there."""
        if self.kind == "subsets":
            return {name for name in self.values if point.get(f"{self.key}.{name}")}
        return {str(point[self.key])} if self.key in point else set()

    def having(self, name: str) -> Point:
        """The parameter that sets a value of choice or subsets."""
        return {f"{self.key}.{name}": True} if self.kind == "subsets" else {self.key: name}

    def each(self) -> list[Point]:
        """Each value of choice, each member of subsets, both bounds of numbers."""
        if self.kind in ("choice", "subsets"):
            return [self.having(name) for name in self.values]
        whole = self.kind == "integers"
        return [{self.key: int(bound) if whole else bound} for bound in (self.low, self.high)]

    def suggest(self, trial: Suggests) -> Point:
        """Draws the axis's parameters."""
        if self.kind == "subsets":
            return {name: bool(trial.suggest_categorical(name, (False, True))) for name in self.parameters}
        if self.kind == "choice":
            return {self.key: str(trial.suggest_categorical(self.key, tuple(self.values)))}
        if self.kind == "integers":
            return {self.key: int(trial.suggest_int(self.key, int(self.low), int(self.high)))}
        return {self.key: float(trial.suggest_float(self.key, self.low, self.high, log=self.kind == "loguniform"))}

    def change(self, point: Point) -> dict[str, Any]:
        """What a row would write for the point; nothing if the axis is closed there."""
        if not any(name in point for name in self.parameters):
            return {}
        if self.kind == "subsets":
            inside = self.chosen(point)
            return {self.key: {name: value if name in inside else None for name, value in self.values.items()}}
        value = point[self.key]
        if self.kind == "choice":
            return {self.key: self.values[str(value)]}
        if self.kind == "integers":
            return {self.key: value}
        # Rounding does not pass a bound that has more digits.
        return {self.key: min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)}


@dataclass(frozen=True)
class RandomSuggestions:
    """Draws every parameter at random, except fixed ones."""

    generator: np.random.Generator
    fixed: Mapping[str, Value] = field(default_factory=dict)

    def suggest_categorical(self, name: str, choices: tuple[Any, ...]) -> Any:
        drawn = choices[int(self.generator.integers(len(choices)))]
        return self.fixed.get(name, drawn)

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        drawn = (
            math.exp(self.generator.uniform(math.log(low), math.log(high)))
            if log
            else self.generator.uniform(low, high)
        )
        return float(self.fixed.get(name, drawn))

    def suggest_int(self, name: str, low: int, high: int) -> int:
        return int(self.fixed.get(name, int(self.generator.integers(low, high + 1))))


def suggest(axes: tuple[Axis, ...], trial: Suggests) -> Point:
    """A point: axes in their order, without those whose condition does not hold."""
    point: Point = {}
    for axis in axes:
        if is_open(axis, axes, point):
            point |= axis.suggest(trial)
    return point


def is_open(axis: Axis, axes: tuple[Axis, ...], point: Point) -> bool:
    """Whether the axis's conditions hold for a point's values on the axes before it."""
    by_key = {one.key: one for one in axes}
    return all(by_key[key].chosen(point) & set(names) for key, names in axis.when.items())


def changes(axes: tuple[Axis, ...], point: Point) -> dict[str, Any]:
    """The point as the changes of a row."""
    return {key: value for axis in axes for key, value in axis.change(point).items()}
