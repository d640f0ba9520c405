"""What the keys of a configuration lead to, by its options models: options, a choice of component, or names."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from raysl.config.cell import CellConfig, Slot
from raysl.config.component import find, names, unknown
from raysl.config.options import Options
from raysl.config.suggest import nearest
from raysl.config.yaml_reader import KeyPath
from raysl.errors import ConfigError


@dataclass(frozen=True)
class Names:
    """A mapping whose keys are names: of components, or the user's own. They may hold dots.

    Attributes:
        kind: of the components that are named; the names lead to their options. None: the user's own names.
        of: what a user's own name leads to.
    """

    kind: str | None = None
    of: Part = None


Part = type[Options] | Slot | Names | Mapping[str, Any] | None
"""What a key leads to. A mapping: known keys and what they lead to. None: a plain value, or unknown."""


def parts(info: FieldInfo) -> Iterator[Slot | type[Options]]:
    """The slots and options models within a field that a dotted key may lead into."""
    yield from _parts(info.annotation, tuple(info.metadata))


def _parts(annotation: Any, metadata: tuple[Any, ...] = ()) -> Iterator[Slot | type[Options]]:
    for slot in metadata:
        if isinstance(slot, Slot):
            yield slot
            return
    if isinstance(annotation, type) and issubclass(annotation, Options):
        if annotation is not CellConfig:  # a whole configuration (`init.from`); no dotted key leads into it
            yield annotation
    elif get_origin(annotation) is Annotated:
        yield from _parts(get_args(annotation)[0], get_args(annotation)[1:])
    elif get_origin(annotation) in (Union, types.UnionType):
        for alternative in get_args(annotation):
            yield from _parts(alternative)


@cache
def _field(model: type[Options], key: str) -> Part:
    found = next(parts(model.model_fields[key]), None) if key in model.model_fields else None
    return Names(found.kind) if isinstance(found, Slot) and found.many else found


def options_of(kind: str | None, name: Any) -> type[Options] | None:
    """The options of a component, whose name may have a variant (``synthetic/large``); None if there is none."""
    if kind is None or not isinstance(name, str):
        return None
    try:
        return find(kind, name.partition("/")[0]).options
    except ConfigError:
        return None


CONFIGURATION: Mapping[str, Any] = {
    **{name: _field(CellConfig, name) for name in CellConfig.model_fields},
    "evaluation": Names("protocol", of=Slot("protocol", key="protocol")),
}
"""What a row may change."""

DATA_SETS = Names(of=Slot("data set"))
SCALE: Mapping[str, Any] = {"set": CONFIGURATION, "multiply": CONFIGURATION, "datasets": DATA_SETS}
DOCUMENT: Mapping[str, Any] = {**CONFIGURATION, "datasets": DATA_SETS, "scales": Names(of=SCALE)}
"""A study or a recipe. Its other keys are checked where they are read."""


def below(part: Part, key: str, chosen: Any = None) -> Part:
    """What a key of ``part`` leads to.

    Args:
        chosen: name of the component at ``part``; None: any component that has the key.
    """
    if isinstance(part, Mapping):
        return part.get(key)
    if isinstance(part, Names):
        return part.of if part.kind is None else options_of(part.kind, key) or part.of
    models = _models(part, chosen)
    return next((_field(model, key) for model in models if key in model.model_fields), None)


def _models(part: type[Options] | Slot | None, chosen: Any = None) -> list[type[Options]]:
    """The options models that may apply at a part."""
    if part is None or not isinstance(part, Slot):
        return [] if part is None else [part]
    own = options_of(part.kind, part.component or chosen)
    return [own] if own is not None else [find(part.kind, name).options for name in names(part.kind)]


def splits(part: Part, key: str) -> bool:
    """Whether the dots of a key mean nesting; in an import path and in the user's own names they do not."""
    if "." not in key or part is None:
        return False
    return not isinstance(part, Names) or (part.kind is not None and key.partition(".")[0] in names(part.kind))


def chooser(part: Part) -> str | None:
    """The key that names the component; None if none is chosen, or if the place determines it."""
    return part.key if isinstance(part, Slot) and part.is_named else None


def refusal(
    path: KeyPath, document: Any, aliases: Mapping[str, str] | None = None, *, number: bool = False
) -> str | None:
    """Why no configuration has a key; None if one has.

    Args:
        path: as a row writes it.
        document: may name components of other packages, by import path.
        aliases: second names of protocols, and the protocols.
        number: the key must hold a number, or a list of some.
    """
    if path[0] != "evaluation":
        reason = _refusal(CellConfig, path, number, ())
        return reason and _refusal(CellConfig, path, number, sorted(set(_import_paths(document))))
    protocols = {name: name for name in names("protocol")} | dict(aliases or {})
    for end in range(2, len(path)):  # the name may be an import path
        name = ".".join(path[1:end])
        model = options_of("protocol", protocols.get(name, name))
        if model is not None:
            return _refusal(model, path[end:], number, ())
    return unknown("protocol", path[1], protocols) if path[1:] else "'evaluation' is no number"


def _import_paths(value: Any) -> Iterator[str]:
    """Every text in a value that may be an import path."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", value):
        yield value
    for inner in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _import_paths(inner)


def _refusal(part: type[Options] | Slot, path: KeyPath, number: bool, others: Sequence[str]) -> str | None:
    """As `refusal`. ``others``: import paths that may be of components."""
    key, rest = path[0], path[1:]
    no_number = f"{key!r} is no number" if number else None
    if isinstance(part, Slot) and part.many:
        model = options_of(part.kind, key)
        if model is None:
            return unknown(part.kind, key)
        return _refusal(model, rest, number, others) if rest else no_number
    if key == chooser(part) and not rest:
        return no_number
    models = _models(part)
    if isinstance(part, Slot):
        models += [model for name in others if (model := options_of(part.kind, name)) is not None]
    found = [model.model_fields[key] for model in models if key in model.model_fields]
    if not found:
        return f"unknown key {key!r}{nearest(key, {name for model in models for name in model.model_fields})}"
    if not rest:
        return None if any(_holds_number(info.annotation) for info in found) else no_number
    reasons = [_refusal(inner, rest, number, others) for info in found for inner in parts(info)]
    return None if None in reasons else next(iter(reasons), f"{key!r} has no keys below it")


def _holds_number(annotation: Any) -> bool:
    if isinstance(annotation, type) and not get_args(annotation):
        return issubclass(annotation, int | float) and not issubclass(annotation, bool)
    return get_origin(annotation) is not dict and any(_holds_number(inner) for inner in get_args(annotation))
