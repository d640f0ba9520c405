"""From nested mappings to options models, with one clear error for anything that does not fit."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from raysl.config.cell import CellConfig, Slot
from raysl.config.component import Chosen, find, is_unlisted, names, unknown
from raysl.config.options import Options
from raysl.config.parts import parts
from raysl.config.suggest import nearest, suggestion
from raysl.config.yaml_reader import KeyPath, Tree
from raysl.errors import ConfigError

AnyOptions = TypeVar("AnyOptions", bound=Options)
INCOMPLETE: Any = object()
"""Placeholder for incomplete options, while parts are checked (`check_options`)."""


def resolve(model: type[AnyOptions], tree: Tree, path: KeyPath = (), *, data: Any = None) -> AnyOptions:
    """Validates ``data`` (None: the value of ``tree`` at ``path``) as ``model``.

    Raises:
        ConfigError: naming file, line and key: an unknown key (with the nearest valid one), a missing key, a value of
            the wrong type or out of bounds, an unknown component.
    """
    found: AnyOptions = _resolve(model, tree, path, tree.data if data is None else data, whole=True)
    return found


def check_options(model: type[Options], tree: Tree, path: KeyPath, data: Any) -> None:
    """Checks names, types and bounds of the written keys of a model; keys may be missing.

    Combinations of keys are left to `resolve`: another file may still change one of them.

    Raises:
        ConfigError: as `resolve` does.
    """
    _resolve(model, tree, path, data, whole=False)


def _resolve(model: type[Options], tree: Tree, path: KeyPath, data: Any, whole: bool) -> Any:
    if not isinstance(data, Mapping):
        raise tree.error(path, f"a mapping of keys is expected, not {data!r}")
    known = _fields(model)
    for key in data:
        if key not in known:
            raise tree.error((*path, key), f"unknown key{nearest(key, known)}")
    values = {}
    for name, takes in known.items():
        if name in data:
            value = _convert(takes, data[name], tree, (*path, name), whole)
            if value is not INCOMPLETE:
                values[name] = value
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = error.errors()
        if not whole:
            problems = [one for one in problems if one["type"] != "missing" and one["loc"]]
            if not problems:
                return INCOMPLETE
        raise _explain(problems, tree, path, data) from error


@cache
def _fields(model: type[Options]) -> dict[str, tuple[Any, ...]]:
    """What each field's value becomes: a choice of component (a `Slot`), options (their model), or a tuple."""
    return {name: (*parts(info), *_others(info.annotation)) for name, info in model.model_fields.items()}


def _others(annotation: Any) -> Iterator[type[Any]]:
    """From a type: a whole configuration, and tuples."""
    if annotation is CellConfig:
        yield CellConfig
    elif get_origin(annotation) is tuple:
        yield tuple
    elif get_origin(annotation) in (Union, types.UnionType):
        for alternative in get_args(annotation):
            yield from _others(alternative)


def _convert(takes: tuple[Any, ...], value: Any, tree: Tree, path: KeyPath, whole: bool) -> Any:
    """Mappings become options or chosen components, and lists tuples, according to the field."""
    if value is None:
        return None
    for one in takes:
        if isinstance(one, Slot):
            return (_choose_many if one.many else _choose)(one, value, tree, path, whole)
        if one is tuple and isinstance(value, list):
            return tuple(value)
        if one is not tuple and isinstance(value, Mapping):
            return _resolve(one, tree, path, value, whole)
    return value


def _choose_many(slot: Slot, value: Any, tree: Tree, path: KeyPath, whole: bool) -> dict[str, Chosen]:
    """``{rotation: {weight: 0.5}, reverse: null}`` to components by name, without those that are null, sorted."""
    if not isinstance(value, Mapping):
        raise tree.error(path, f"a mapping from the name of a {slot.kind} to its options is expected, not {value!r}")
    chosen = {}
    for name in sorted(value):
        _check_name(slot, name, value[name], tree, (*path, name))
        if value[name] is not None:
            one = _choose(Slot(slot.kind, component=name), value[name], tree, (*path, name), whole)
            if one is not INCOMPLETE:
                chosen[name] = one
    return chosen


def _check_name(slot: Slot, name: str, value: Any, tree: Tree, path: KeyPath) -> None:
    """Refuses a name of no component, also if it is switched off, and an import path in dotted keys.

    In ``objective.pretext.my.colour: {...}`` all dots mean nesting, even those of an import path.
    """
    if name in names(slot.kind):
        return
    nested = isinstance(value, Mapping) and any(isinstance(at, Mapping | None) for at in value.values())
    if "." not in name and nested and not is_unlisted(slot.kind, name):
        raise tree.error(
            path,
            f"{unknown(slot.kind, name)}; the import path of one in another package is written "
            f"inside the mapping, {'.'.join(path[:-1])}: {{{name}.module: {{...}}}}",
        )
    if value is None:
        try:
            find(slot.kind, name)
        except ConfigError as error:
            raise tree.error(path, str(error)) from error


def choose(slot: Slot, value: Any, tree: Tree, path: KeyPath) -> Chosen:
    """``"adamw"``, ``"synthetic/large"`` or ``{name: adamw, weight_decay: 0.1}`` to a component with its options.

    If the slot takes only one component, its options are written without a name: ``{weight: 0.1}``.
    """
    chosen: Chosen = _choose(slot, value, tree, path, whole=True)
    return chosen


def check_choice(slot: Slot, value: Any, tree: Tree, path: KeyPath) -> None:
    """Checks the written keys of a component as `check_options` does; its name may be missing."""
    _choose(slot, value, tree, path, whole=False)


def _choose(slot: Slot, value: Any, tree: Tree, path: KeyPath, whole: bool) -> Any:
    if isinstance(value, Chosen):
        return value
    if slot.component is not None:
        if not isinstance(value, Mapping):
            raise tree.error(path, f"a mapping of options is expected, or null for no {slot.component}, not {value!r}")
        name, variant, given = slot.component, "", value
    else:
        value = {slot.key: value} if isinstance(value, str) else value
        if not whole and isinstance(value, Mapping) and slot.key not in value:
            return _check_any(slot, value, tree, path)
        if not isinstance(value, Mapping) or not isinstance(value.get(slot.key), str):
            raise tree.error(path, f"name a {slot.kind} here, as text or as a mapping with the key {slot.key!r}")
        name, _, variant = value[slot.key].partition("/")
        given = {key: item for key, item in value.items() if key != slot.key}
    try:
        component = find(slot.kind, name)
        preset = _variant(slot.kind, name, variant)
    except ConfigError as error:
        at = (*path, slot.key) if (*path, slot.key) in tree.origins else path
        raise tree.error(at, str(error)) from error
    options = _resolve(component.options, tree, path, {**preset, **given}, whole)
    return INCOMPLETE if options is INCOMPLETE else Chosen(slot.kind, name, options)


def _check_any(slot: Slot, value: Mapping[str, Any], tree: Tree, path: KeyPath) -> Any:
    """Options of a component that another file names: refuses a key that is nearly an option of some component."""
    known = {key for name in names(slot.kind) for key in find(slot.kind, name).options.model_fields}
    for key in value:
        near = suggestion(key, known | {slot.key})
        if key not in known and near:
            raise tree.error((*path, key), f"unknown key{near}")
    return INCOMPLETE


def _variant(kind: str, name: str, variant: str) -> dict[str, Any]:
    if not variant:
        return {}
    make = find(kind, name).variant
    if make is None:
        raise ConfigError(f"{kind} {name!r} has no variants, so {name}/{variant} means nothing")
    return make(variant)


def _explain(problems: list[ErrorDetails], tree: Tree, path: KeyPath, data: Any) -> ConfigError:
    """The first problem of a pydantic error, in our wording."""
    where = _place(problems[0], data)
    same = [problem for problem in problems if _place(problem, data) == where]
    # Among the alternatives of a key: the one of the value's own type, or all of them.
    fitting = [one for one in same if not one["type"].endswith("_type") and one["type"] != "literal_error"] or same
    problem = fitting[0]
    if problem["type"] == "missing":
        return tree.error((*path, *where), "this key is required and missing")
    if problem["type"] == "value_error":
        return tree.misfit((*path, *where), problem["msg"].removeprefix("Value error, "))
    expected = " or ".join(dict.fromkeys(_expected(one) for one in fitting))
    value = problem["input"]
    literals = [
        name for one in fitting for name in re.findall(r"'([^']*)'", str(one.get("ctx", {}).get("expected", "")))
    ]
    near = suggestion(value, literals) if isinstance(value, str) else ""
    return tree.error((*path, *where), f"should be {expected}, not {value!r}{near}")


def _place(problem: ErrorDetails, data: Any) -> KeyPath:
    """The keys of a problem's location, without the names of alternatives that pydantic adds (``constrained-int``)."""
    result: list[str] = []
    for part in problem["loc"]:
        if isinstance(data, Mapping) and part in data:
            data = data[part]
        elif isinstance(part, int):
            data = data[part] if isinstance(data, list | tuple) and part < len(data) else None
        elif result:
            continue
        result.append(str(part))
    return tuple(result)


def _expected(problem: ErrorDetails) -> str:
    """What a value should be, without pydantic's introduction."""
    if problem["type"] in ("dict_type", "model_type"):
        return "a mapping"
    if problem["type"] in ("tuple_type", "list_type"):
        return "a list in brackets"
    if problem["type"] in ("too_short", "too_long") and not isinstance(problem["input"], str):
        few = problem["type"] == "too_short"
        bound = problem["ctx"]["min_length" if few else "max_length"]
        return f"a list of at {'least' if few else 'most'} {bound}"
    if problem["type"] == "string_type" and isinstance(problem["input"], bool | int | float):
        return "text (put it in quotes)"
    return problem["msg"].removeprefix("Input should be ").removeprefix("Input should ")
