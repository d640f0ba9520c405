"""Merging configurations: extension, rows, scales, overrides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from raysl.config.parts import DOCUMENT, Part, below, chooser, splits
from raysl.config.yaml_reader import KeyPath, Origin, Tree, copied
from raysl.errors import ConfigError


def expand(data: Mapping[str, Any], origins: Mapping[KeyPath, Origin], at: KeyPath = (), part: Part = DOCUMENT) -> Tree:
    """Turns dotted keys into nested ones, at the top and in every mapping of options.

    Args:
        data: e.g. a row, ``{"clip.size": 56, "objective": {"contrastive.temperature": 0.2}}``.
        origins: of its document.
        at: its path in that document.
        part: its kind (`raysl.config.parts`).

    Raises:
        ConfigError: one key in two spellings.
    """
    by_source = origins_within(data, origins, at)
    result = Tree({}, {(): by_source[()]} if () in by_source else {})
    _expand(result, result.data, data, (), (), part, by_source)
    return result


def origins_within(value: Any, origins: Mapping[KeyPath, Origin], at: KeyPath) -> dict[KeyPath, Origin]:
    """The origins of a value that was written at ``at``, and of all in it, by their paths below it.

    It looks up what the value has: among the origins of a document with thousands of rows it searches for none.
    """
    found = ((path, origins.get((*at, *path))) for path in _paths(value, ()))
    return {path: origin for path, origin in found if origin is not None}


def _paths(value: Any, path: KeyPath) -> Iterator[KeyPath]:
    yield path
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _paths(inner, (*path, key))
    elif isinstance(value, list | tuple):
        for position, inner in enumerate(value):
            yield from _paths(inner, (*path, str(position)))


def _expand(
    result: Tree,
    target: dict[str, Any],
    data: Mapping[str, Any],
    source: KeyPath,
    path: KeyPath,
    part: Part,
    origins: Mapping[KeyPath, Origin],
) -> None:
    """Puts ``data``, which was written at ``source``, into ``target``, which is at ``path`` of the result."""
    for key, value in data.items():
        node, here, inner, written = target, path, part, (*source, key)
        keys = key.split(".") if splits(part, key) else [key]
        for step in keys[:-1]:
            inner = below(inner, step, _chosen(inner, node))
            here = (*here, step)
            _record(result, here, origins.get(written))
            node = _mapping(result, node, step, inner, here, origins.get(written))
        last, leads_to = keys[-1], below(inner, keys[-1], _chosen(inner, node))
        here = (*here, last)
        if isinstance(value, Mapping) and leads_to is not None:
            _record(result, here, origins.get(written))
            deeper = _mapping(result, node, last, leads_to, here, origins.get(written))
            _expand(result, deeper, value, written, here, leads_to, origins)
            continue
        if last in node:
            named = chooser(leads_to)
            if named is None or not isinstance(value, str) or not isinstance(node[last], dict) or named in node[last]:
                raise _twice(result, here, origins.get(written))
            node[last][named] = value
            continue
        node[last] = copied(value)
        _record(result, here, origins.get(written))
        if isinstance(value, Mapping | list):
            inside = [known for known in origins if known[: len(written)] == written and known != written]
            for known in inside:
                result.origins[here + known[len(written) :]] = origins[known]


def _chosen(part: Part, node: Mapping[str, Any]) -> Any:
    named = chooser(part)
    return node.get(named) if named is not None else None


def _record(result: Tree, path: KeyPath, origin: Origin | None) -> None:
    if origin is not None:
        result.origins.pop(path, None)
        result.origins[path] = origin


def _mapping(
    result: Tree, node: dict[str, Any], key: str, part: Part, path: KeyPath, origin: Origin | None
) -> dict[str, Any]:
    """The mapping at a key, created if absent; a component that was given only as text keeps its name."""
    named, found = chooser(part), node.setdefault(key, {})
    if isinstance(found, str) and named is not None:
        found = node[key] = {named: found}
    if not isinstance(found, dict):
        raise _twice(result, path, origin)
    return found


def _twice(result: Tree, path: KeyPath, origin: Origin | None) -> ConfigError:
    where = "" if origin is None else f"{origin}: "
    return ConfigError(f"{where}{'.'.join(path)}: this key is written twice (first at {result.where(path)})")


def merge(base: Tree, over: Tree, part: Part = DOCUMENT) -> Tree:
    """``base`` overridden by ``over``: mappings merge by key, anything else is replaced; neither argument is changed.

    Another choice of a component replaces the options of the old one. A component that ``base`` gives only as text can
    get options.
    """
    origins = dict(base.origins)
    data = _merge(copied(base.data), over.data, part, (), origins)
    for path, origin in over.origins.items():
        if path or () not in origins:
            origins.pop(path, None)
            origins[path] = origin
    return Tree(data, origins)


def _merge(base: Any, over: Any, part: Part, path: KeyPath, origins: dict[KeyPath, Origin]) -> Any:
    named = chooser(part)
    if named is not None and isinstance(base, str) and isinstance(over, Mapping):
        base = {named: base}
    if not isinstance(base, dict) or not isinstance(over, Mapping) or _other_choice(base, over, named):
        if isinstance(base, dict | list):
            for known in [known for known in origins if known[: len(path)] == path and len(known) > len(path)]:
                del origins[known]
        return copied(over)
    chosen = None if named is None else over.get(named, base.get(named))
    for key, value in over.items():
        if key in base:
            base[key] = _merge(base[key], value, below(part, key, chosen), (*path, key), origins)
        else:
            base[key] = copied(value)
    return base


def _other_choice(base: Mapping[str, Any], over: Mapping[str, Any], named: str | None) -> bool:
    return named is not None and named in base and named in over and base[named] != over[named]


def get(data: Mapping[str, Any], path: KeyPath) -> Any:
    """The value at ``path``, or None if a part of it is absent."""
    value: Any = data
    for part in path:
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def place(data: Mapping[str, Any], key: str) -> KeyPath:
    """The path of a dotted key in resolved data; keys there may have dots themselves: the import path of a task."""
    for known in sorted(data, key=len, reverse=True):
        if key.startswith(f"{known}."):
            inner = data[known] if isinstance(data[known], Mapping) else {}
            return (known, *place(inner, key.removeprefix(f"{known}.")))
    return (key,) if key in data else tuple(key.split("."))


def put(data: dict[str, Any], path: KeyPath, value: Any) -> None:
    """Sets the value at ``path``; its parents must exist."""
    for part in path[:-1]:
        data = data[part]
    data[path[-1]] = value
