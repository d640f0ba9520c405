"""Laying one configuration over another: extension, rows, scales, overrides."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from raysl.config.yaml_reader import KeyPath, Origin, Tree

CHOOSERS = ("name", "framework")
"""Keys that choose a component: another choice replaces the whole mapping, whose options belong to the old choice."""

KEYWORDS = ("shared",)
"""Words that stand in the place of a mapping and name no component: a mapping laid over one replaces it."""


def expand(data: Mapping[str, Any], origins: Mapping[KeyPath, Origin], at: KeyPath = ()) -> Tree:
    """Turns dotted keys of the outermost mapping into nested ones.

    Args:
        data: e.g. a row, ``{"clip.size": 56}``.
        origins: of the document it comes from.
        at: its place in that document.
    """
    result = Tree({}, {(): origins[at]} if at in origins else {})
    for key, value in data.items():
        path = tuple(key.split("."))
        nested: Any = copy.deepcopy(value)
        for part in reversed(path):
            nested = {part: nested}
        placed = {path[:end]: origins[(*at, key)] for end in range(1, len(path) + 1) if (*at, key) in origins}
        for source, origin in origins.items():
            if source[: len(at) + 1] == (*at, key):
                placed[path + source[len(at) + 1 :]] = origin
        result = merge(result, Tree(nested, placed))
    return result


def merge(base: Tree, over: Tree) -> Tree:
    """``over`` laid on ``base``: mappings merge by key, anything else replaces; neither is changed."""
    origins = dict(base.origins)
    data = _merge(copy.deepcopy(base.data), over.data, (), origins)
    origins.update({path: origin for path, origin in over.origins.items() if path})
    if () not in origins and () in over.origins:
        origins[()] = over.origins[()]
    return Tree(data, origins)


def _merge(base: Any, over: Any, path: KeyPath, origins: dict[KeyPath, Origin]) -> Any:
    named = isinstance(base, str) and base not in KEYWORDS
    if named and isinstance(over, dict) and not any(chooser in over for chooser in CHOOSERS):
        base = {"name": base}
    if not isinstance(base, dict) or not isinstance(over, dict) or _other_choice(base, over):
        for known in [known for known in origins if known[: len(path)] == path and len(known) > len(path)]:
            del origins[known]
        return copy.deepcopy(over)
    for key, value in over.items():
        base[key] = _merge(base[key], value, (*path, key), origins) if key in base else copy.deepcopy(value)
    return base


def _other_choice(base: Mapping[str, Any], over: Mapping[str, Any]) -> bool:
    return any(chooser in base and chooser in over and base[chooser] != over[chooser] for chooser in CHOOSERS)


def get(data: Mapping[str, Any], path: KeyPath) -> Any:
    """The value at ``path``, or None where a part of it is absent."""
    value: Any = data
    for part in path:
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def place(data: Mapping[str, Any], key: str) -> KeyPath:
    """The path of a dotted key in resolved data, whose own keys may hold dots: the import path of a task."""
    for known in sorted(data, key=len, reverse=True):
        if key.startswith(f"{known}."):
            inner = data[known] if isinstance(data[known], Mapping) else {}
            return (known, *place(inner, key.removeprefix(f"{known}.")))
    return (key,) if key in data else tuple(key.split("."))


def put(data: dict[str, Any], path: KeyPath, value: Any) -> None:
    """Sets the value at ``path``, whose parents exist."""
    for part in path[:-1]:
        data = data[part]
    data[path[-1]] = value
