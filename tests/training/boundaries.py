"""Every number of every options model, with the values at and beyond its bounds."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from annotated_types import MultipleOf

from raysl.config.cell import CellConfig
from raysl.config.options import Options

BESIDE = 1e-6
"""Distance from a bound that is not among the values, as a share."""


@dataclass(frozen=True)
class Number:
    """A numeric field.

    Attributes:
        key: dotted, below the model.
        kind: int or float.
        low, high: the smallest and largest value that the field takes; None: there is no such bound.
        listed: it is a list of such numbers.
    """

    key: str
    kind: type
    low: float | None
    high: float | None
    listed: bool

    def written(self, *values: Any) -> Any:
        """As a study writes it; of a list, all of them, rising."""
        return sorted(set(values)) if self.listed else values[0]


def numbers_of(model: type[Options], prefix: str = "") -> Iterator[Number]:
    """The numeric fields of a model, and of the models in it."""
    for name, field in model.model_fields.items():
        for alternative in _alternatives(field.annotation):
            kind, limits = _limits(alternative, list(field.metadata))
            listed = get_origin(kind) is tuple
            if listed:
                kind, limits = _limits(get_args(kind)[0], [])
            if isinstance(kind, type) and issubclass(kind, Options) and kind is not CellConfig:
                yield from numbers_of(kind, f"{prefix}{name}.")
            elif kind in (int, float):
                yield Number(f"{prefix}{name}", kind, _bound(limits, kind, low=True), _bound(limits, kind), listed)


def _alternatives(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) in (Union, types.UnionType):
        for inner in get_args(annotation):
            yield from _alternatives(inner)
    else:
        yield annotation


def _limits(annotation: Any, limits: list[Any]) -> tuple[Any, list[Any]]:
    if get_origin(annotation) is not Annotated:
        return annotation, limits
    kind, *more = get_args(annotation)
    return kind, [*limits, *(one for item in more for one in getattr(item, "metadata", [item]))]


def _bound(limits: list[Any], kind: type, low: bool = False) -> float | None:
    closed, opened = ("ge", "gt") if low else ("le", "lt")
    step = next((int(one.multiple_of) for one in limits if isinstance(one, MultipleOf)), 1)  # type: ignore[call-overload]
    inward = 1 if low else -1
    for one in limits:
        if hasattr(one, closed):
            value: Any = getattr(one, closed)
            return value if kind is float or value % step == 0 else value + inward * step
        if hasattr(one, opened):
            value = getattr(one, opened)
            return value + inward * (step if kind is int else max(abs(value) * BESIDE, BESIDE))
    return None
