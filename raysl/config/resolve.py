"""From nested mappings to options models: one clear error for whatever does not fit."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import ValidationError

from raysl.config.cell import Slot
from raysl.config.component import Chosen, find, names
from raysl.config.options import Options
from raysl.config.suggest import nearest
from raysl.config.yaml_reader import KeyPath, Tree
from raysl.errors import ConfigError

AnyOptions = TypeVar("AnyOptions", bound=Options)


def resolve(model: type[AnyOptions], tree: Tree, path: KeyPath = (), *, data: Any = None) -> AnyOptions:
    """Validates ``data`` (the value of ``tree`` at ``path``; the whole tree where None) as ``model``.

    Raises:
        ConfigError: naming file, line and key: an unknown key (with the nearest valid one), a missing key, a value of
            the wrong type or out of bounds, an unknown component.
    """
    data = tree.data if data is None else data
    if not isinstance(data, Mapping):
        raise tree.error(path, f"a mapping of keys is expected, not {data!r}")
    for key in data:
        if key not in model.model_fields:
            raise tree.error((*path, key), f"unknown key{nearest(key, model.model_fields)}")
    values = {}
    for name, field in model.model_fields.items():
        if name in data:
            annotation = field.annotation
            for metadata in field.metadata:
                if isinstance(metadata, Slot):
                    annotation = Annotated[annotation, metadata]  # type: ignore[assignment]
            values[name] = _convert(annotation, data[name], tree, (*path, name))
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _explain(error, tree, path) from error


def _alternatives(annotation: Any) -> list[Any]:
    if get_origin(annotation) in (Union, types.UnionType):
        return [inner for argument in get_args(annotation) for inner in _alternatives(argument)]
    return [annotation]


def _convert(annotation: Any, value: Any, tree: Tree, path: KeyPath) -> Any:
    """Mappings become options or chosen components, and lists tuples, where the annotation says so."""
    for alternative in _alternatives(annotation):
        if value is None:
            return None
        if get_origin(alternative) is Annotated:
            for metadata in get_args(alternative)[1:]:
                if isinstance(metadata, Slot):
                    chooser = _choose_many if metadata.many else choose
                    return chooser(metadata, value, tree, path)
        if isinstance(alternative, type) and issubclass(alternative, Options) and isinstance(value, Mapping):
            return resolve(alternative, tree, path, data=value)
        if get_origin(alternative) is tuple and isinstance(value, list):
            return tuple(value)
    return value


def _choose_many(slot: Slot, value: Any, tree: Tree, path: KeyPath) -> dict[str, Chosen]:
    """``{rotation: {weight: 0.5}, reverse: null}`` to components by name, without those that are null, sorted."""
    if not isinstance(value, Mapping):
        raise tree.error(path, f"a mapping from the name of a {slot.kind} to its options is expected, not {value!r}")
    chosen = {}
    for name in sorted(value):
        if value[name] is not None:
            _refuse_split_path(slot, name, value[name], tree, (*path, name))
            chosen[name] = choose(Slot(slot.kind, component=name), value[name], tree, (*path, name))
    return chosen


def _refuse_split_path(slot: Slot, name: str, value: Any, tree: Tree, path: KeyPath) -> None:
    """Refuses ``objective.pretext.my.colour: {...}``: of a key all dots mean nesting, those of an import path too."""
    if "." in name or name in names(slot.kind) or not isinstance(value, Mapping):
        return
    if any(isinstance(inner, Mapping | None) for inner in value.values()):
        raise tree.error(
            path,
            f"unknown {slot.kind} {name!r}{nearest(name, names(slot.kind))}; the import path of one in another package "
            f"is written inside the mapping, {'.'.join(path[:-1])}: {{{name}.module: {{...}}}}",
        )


def choose(slot: Slot, value: Any, tree: Tree, path: KeyPath) -> Chosen:
    """``"adamw"``, ``"synthetic/large"`` or ``{name: adamw, weight_decay: 0.1}`` to a component with its options.

    Where the slot takes one component alone its options stand without a name: ``{weight: 0.1}``.
    """
    if isinstance(value, Chosen):
        return value
    if slot.component is not None:
        return _choose_only(slot, slot.component, value, tree, path)
    if isinstance(value, str):
        value = {slot.key: value}
    if not isinstance(value, Mapping) or not isinstance(value.get(slot.key), str):
        raise tree.error(path, f"name a {slot.kind} here, as text or as a mapping with the key {slot.key!r}")
    name, _, variant = value[slot.key].partition("/")
    try:
        component = find(slot.kind, name)
        preset = _variant(slot.kind, name, variant)
    except ConfigError as error:
        raise tree.error((*path, slot.key) if (*path, slot.key) in tree.origins else path, str(error)) from error
    given = {key: item for key, item in value.items() if key != slot.key}
    return Chosen(slot.kind, name, resolve(component.options, tree, path, data={**preset, **given}))


def _choose_only(slot: Slot, name: str, value: Any, tree: Tree, path: KeyPath) -> Chosen:
    if not isinstance(value, Mapping):
        raise tree.error(path, f"a mapping of options is expected, or null for no {name}, not {value!r}")
    try:
        component = find(slot.kind, name)
    except ConfigError as error:
        raise tree.error(path, str(error)) from error
    return Chosen(slot.kind, name, resolve(component.options, tree, path, data=value))


def _variant(kind: str, name: str, variant: str) -> dict[str, Any]:
    if not variant:
        return {}
    make = find(kind, name).variant
    if make is None:
        raise ConfigError(f"{kind} {name!r} has no variants, so {name}/{variant} means nothing")
    return make(variant)


def _explain(error: ValidationError, tree: Tree, path: KeyPath) -> ConfigError:
    """The first problem of a pydantic error, in our words."""
    problem = error.errors()[0]
    kinds = ("function-", "constrained-", "tuple[", "dict[")  # of pydantic, and not keys
    where = (*path, *(str(part) for part in problem["loc"] if not str(part).startswith(kinds)))
    if problem["type"] == "missing":
        return tree.error(where, "this key is required and missing")
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if problem["type"] == "value_error":
        return tree.error(where, message)
    return tree.error(where, f"{message}, not {problem['input']!r}")
