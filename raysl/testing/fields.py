"""The fields of an options model: what each does not say, its numbers with their bounds, and other values of it."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import MultipleOf
from pydantic.fields import FieldInfo

from raysl.config.cell import CellConfig
from raysl.config.options import Options

SOURCE = re.compile(
    r"(printed|code|inferred|ours)(: .|; .|$)|(required|per recipe|per study|per scale|see its fields)(; .|$)"
)
"""Where a default comes from, in words."""
BESIDE = 1e-6
"""Distance from a bound that is not among the values, as a share."""


def models_of(*models: type[Options]) -> Iterator[type[Options]]:
    """These models and those of their fields, each once."""
    seen, waiting = set(models), list(models)
    while waiting:
        model = waiting.pop()
        yield model
        for field in model.model_fields.values():
            for inner in (field.annotation, *get_args(field.annotation)):
                if isinstance(inner, type) and issubclass(inner, Options) and inner not in seen:
                    seen.add(inner)
                    waiting.append(inner)


def undocumented(model: type[Options]) -> dict[str, list[str]]:
    """By field, what it does not say: what it does, its source, and of a number its unit and its bounds."""
    validators = model.__pydantic_decorators__.field_validators.values()
    checked = {name for validator in validators for name in validator.info.fields}  # the bounds of a union's branch
    fields = model.model_fields.items()
    return {name: said for name, field in fields if (said := [*_lacking(field, name in checked)])}


def _lacking(field: FieldInfo, checked: bool) -> Iterator[str]:
    if not field.description:
        yield "what it does"
    extra = field.json_schema_extra
    if not isinstance(extra, dict) or not SOURCE.match(str(extra.get("source"))):
        yield "its source, as raysl.config.options.option says it"
    numbers = [bounds for kind, bounds in _atoms(field.annotation, tuple(field.metadata)) if kind in (int, float)]
    if numbers and not (isinstance(extra, dict) and extra.get("unit")):
        yield "its unit, or that it has none"
    if not all(numbers) and not checked:
        yield "its bounds"


def _atoms(annotation: object, metadata: tuple[object, ...] = ()) -> Iterator[tuple[object, bool]]:
    """The plain types that an option is made of, and whether each has bounds; mappings are left out."""
    inner = get_args(annotation)
    if get_origin(annotation) is Annotated:
        yield from _atoms(inner[0], (*metadata, *inner[1:]))
    elif inner and get_origin(annotation) is not dict:
        own = () if get_origin(annotation) is tuple else metadata
        for one in inner:
            yield from _atoms(one, own)
    else:
        places = [place for one in metadata for place in (one, *getattr(one, "metadata", ()))]
        yield annotation, any(hasattr(one, bound) for one in places for bound in ("gt", "ge", "lt", "le"))


@dataclass(frozen=True)
class Number:
    """A numeric field.

    Attributes:
        key: dotted, below the model.
        kind: int or float.
        low, high: the smallest and largest value that the field takes; None: there is no such bound.
        listed: it is a list of such numbers.
        identity: whether its value enters an id.
    """

    key: str
    kind: type
    low: float | None
    high: float | None
    listed: bool
    identity: bool = True

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
                low, high = _bound(limits, kind, low=True), _bound(limits, kind)
                yield Number(f"{prefix}{name}", kind, low, high, listed, _identity(field))


def other_values(options: Options) -> Iterator[tuple[str, Any, bool]]:
    """Of each field that is a number, a switch or a choice: its key, another value, and whether it enters an id."""
    for name, field in type(options).model_fields.items():
        value = getattr(options, name)
        if isinstance(value, Options):
            yield from ((f"{name}.{key}", other, bears) for key, other, bears in other_values(value))
        for alternative in _alternatives(field.annotation):
            for other in _others(alternative, list(field.metadata), value):
                yield name, other, _identity(field)


def _others(annotation: Any, metadata: list[Any], value: Any) -> Iterator[Any]:
    kind, limits = _limits(annotation, metadata)
    if kind is bool:
        yield not value
    elif get_origin(kind) is Literal:
        yield from [choice for choice in get_args(kind) if choice != value][:1]
    elif kind in (int, float):
        bounds = [_bound(limits, kind, low=True), _bound(limits, kind)]
        yield from [kind(bound) for bound in bounds if bound is not None and bound != value][:1]


def nested(options: Mapping[str, Any], key: str, value: Any) -> dict[str, Any]:
    """``options`` with the value at a dotted key; neither is changed."""
    first, _, rest = key.partition(".")
    if not rest:
        return {**options, first: value}
    inner = options.get(first)
    return {**options, first: nested(inner if isinstance(inner, Mapping) else {}, rest, value)}


def _identity(field: FieldInfo) -> bool:
    return not isinstance(field.json_schema_extra, dict) or field.json_schema_extra.get("identity") is not False


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
            value: float = getattr(one, closed)
            return value if kind is float or value % step == 0 else value + inward * step
        if hasattr(one, opened):
            value = getattr(one, opened)
            return value + inward * (step if kind is int else max(abs(value) * BESIDE, BESIDE))
    return None
