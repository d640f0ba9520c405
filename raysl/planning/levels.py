"""The building blocks of designs: axes with their levels, and parts that are present or absent."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from raysl.config.suggest import nearest
from raysl.config.tree import get, place
from raysl.config.yaml_reader import KeyPath, Tree
from raysl.planning.rows import ROW_KEYS

LIMIT = 10_000
"""Rows that a design may have."""

DISTRIBUTIONS = ("choice", "uniform", "loguniform", "integers", "when")
"""Keys of a search's axis that a design's axis does not use."""


@dataclass(frozen=True)
class Written:
    """A value, and where in the document it is written."""

    value: Any
    at: KeyPath


Change = Mapping[str, Written]
"""Dotted keys to values, as a row has them."""


@dataclass(frozen=True)
class Level:
    """A value of an axis.

    Attributes:
        name: in names of rows.
        change: what a row with it changes.
        at: where it is written.
    """

    name: str
    change: Change
    at: KeyPath


@dataclass(frozen=True)
class Part:
    """Something that a row either has or lacks.

    Attributes:
        present, absent: what a row with it, or without it, changes.
        keys: switched off by null; the base must have them.
    """

    name: str
    present: Change
    absent: Change
    at: KeyPath
    keys: tuple[str, ...] = ()


def read_levels(document: Tree) -> dict[str, list[Level]]:
    """The key ``axes`` of a grid or of one factor: from axis to its levels.

    Raises:
        ConfigError: no axes, an axis without values, a value without a name, a distribution, a part that the base does
            not have.
    """
    axes = document.data.get("axes")
    if not isinstance(axes, Mapping) or not axes:
        raise document.error(("axes",), f"design: {document.data['design']} needs axes: a mapping from keys to values")
    short = short_names(axes)
    return {axis: _levels(document, axis, value, short[axis]) for axis, value in axes.items()}


def _levels(document: Tree, axis: str, value: Any, short: str) -> list[Level]:
    at: KeyPath = ("axes", axis)
    if not isinstance(value, Mapping | list | None):
        raise document.error(at, f"a list of values is expected, or a mapping from names to values, not {value!r}")
    if not value:
        raise document.error(at, "has no values")
    if axis == "training.seed":
        raise document.error(at, "is no axis: seeds are paired across rows, and listed under seeds")
    if isinstance(value, list):
        items = [((*at, str(position)), one) for position, one in enumerate(value)]
        found = [_level(document, axis, f"{short} {_text(document, own, one)}", one, own, False) for own, one in items]
    elif "subsets" in value or "sizes" in value:
        found = _subsets(document, axis, value, short)
    else:
        for key in DISTRIBUTIONS:
            if key in value:
                raise document.error((*at, key), "belongs to the axes of a search; list the values, or name them")
        found = [_level(document, axis, name, one, (*at, name), True) for name, one in value.items()]
    names = [level.name for level in found]
    for name in names:
        if names.count(name) > 1:
            raise document.error(at, f"has the value {name!r} twice")
    return found


def _level(document: Tree, axis: str, name: str, value: Any, at: KeyPath, named: bool) -> Level:
    if axis.split(".")[0] in ROW_KEYS:
        return Level(name, {axis: Written(value, at)}, at)
    if not named or not isinstance(value, Mapping):
        message = (
            f"is no key of a configuration{nearest(axis.split('.')[0], ROW_KEYS)}; an axis that moves several keys is "
            "a mapping from the names of its values to what each of them changes"
        )
        raise document.error(("axes", axis), message)
    return Level(name, {key: Written(inner, (*at, key)) for key, inner in value.items()}, at)


def _text(document: Tree, at: KeyPath, value: Any) -> str:
    """A value in the name of a row, as YAML writes it."""
    if isinstance(value, Mapping):
        raise document.error(at, f"a value that is a mapping needs a name: {{NAME: {dict(value)}}}")
    if isinstance(value, list):
        return f"[{', '.join(_text(document, at, one) for one in value)}]"
    return str(value) if isinstance(value, str) else json.dumps(value)


def _subsets(document: Tree, axis: str, value: Mapping[str, Any], short: str) -> list[Level]:
    """All subsets of names below a key (``objective.pretext``), or of parts if the axis is no key."""
    at, inside = ("axes", axis), ("axes", axis, "subsets")
    for key in value:
        if key not in ("subsets", "sizes"):
            raise document.error((*at, key), f"unknown key{nearest(key, ('subsets', 'sizes'))}")
    if "subsets" not in value:
        raise document.error((*at, "sizes"), "are of subsets, which the axis does not have")
    below = axis.split(".")[0] in ROW_KEYS
    members = _members(document, inside, axis) if below else read_parts(document, inside, value["subsets"], "with")
    sizes = value.get("sizes", list(range(len(members) + 1)))
    if not isinstance(sizes, list) or not sizes or any(size not in range(len(members) + 1) for size in sizes):
        raise document.error((*at, "sizes"), f"a list of numbers from 0 to {len(members)} is expected, not {sizes!r}")
    refuse_too_many(document, at, sum(math.comb(len(members), size) for size in sizes), "")
    found = []
    for size in sizes:
        for inner in itertools.combinations(members, size):
            parts = [part.present if name in inner else part.absent for name, part in members.items()]
            change = combined(document, parts)
            if below:
                change = {axis: Written({name: change[name].value for name in members}, inside)}
            found.append(Level("+".join(inner) or f"no {short}", change, at))
    return found


def _members(document: Tree, at: KeyPath, axis: str) -> dict[str, Part]:
    """Names below a key: a list, or a mapping to changes of the base's options if the name is present."""
    value = document.data["axes"][axis]["subsets"]
    if not isinstance(value, Mapping | list) or not value:
        raise document.error(at, f"a list of names below {axis} is expected, or a mapping of them, not {value!r}")
    options = value if isinstance(value, Mapping) else dict.fromkeys(value)
    if len(options) != len(value):
        raise document.error(at, "a name is listed twice")
    return {
        name: Part(name, {name: Written({} if own is None else own, at)}, {name: Written(None, at)}, at)
        for name, own in options.items()
    }


def read_parts(
    document: Tree, at: KeyPath, value: Any, plain: Literal["with", "without"], title: Callable[[str], str] = str
) -> dict[str, Part]:
    """Parts by name.

    A part is a key, or a list of keys, which are switched off by null and otherwise as in the base; or a mapping of its
    changes; or ``{with: CHANGES, without: CHANGES}``. In a list a part is named after the last piece of its key, in a
    mapping by its own name.

    Args:
        plain: whether a mapping of changes is for a row with the part, or for a row without it.
        title: the name of a part in a list.

    Raises:
        ConfigError: no parts, something else than these, a key that the base does not have.
    """
    if not isinstance(value, Mapping | list) or not value:
        raise document.error(at, f"a list of keys is expected, or a mapping from names to parts, not {value!r}")
    if isinstance(value, Mapping):
        return {name: _part(document, (*at, name), name, one, plain) for name, one in value.items()}
    for key in value:
        if not isinstance(key, str) or value.count(key) > 1:
            problem = "is listed twice" if isinstance(key, str) else "is no key; give the part a name: {NAME: ...}"
            raise document.error(at, f"{key!r} {problem}")
    short = short_names(value)
    parts = [_part(document, at, title(short[key]), key, plain) for key in value]
    return {part.name: part for part in parts}


def _part(document: Tree, at: KeyPath, name: str, value: Any, plain: Literal["with", "without"]) -> Part:
    keys = [value] if isinstance(value, str) else value
    if isinstance(keys, list) and keys and all(isinstance(key, str) for key in keys):
        for key in keys:
            _refuse_unknown(document, at, key)
        return Part(name, {}, {key: Written(None, at) for key in keys}, at, tuple(keys))
    if not isinstance(value, Mapping) or not value:
        raise document.error(at, f"a key, a list of keys, or a mapping of changes is expected, not {value!r}")
    sides = {"with": (), "without": ()} if set(value) <= {"with", "without"} else None
    changes: dict[str, Change] = {"with": {}, "without": {}}
    for side, change in value.items() if sides is not None else [(plain, value)]:
        where = at if sides is None else (*at, side)
        if not isinstance(change, Mapping):
            raise document.error(where, f"a mapping of changes is expected, not {change!r}")
        changes[side] = {key: Written(one, (*where, key)) for key, one in change.items()}
    return Part(name, changes["with"], changes["without"], at)


def _refuse_unknown(document: Tree, at: KeyPath, key: str) -> None:
    """Refuses a part that the base does not have.

    Raises:
        ConfigError: with the nearest that it has.
    """
    base = {name: document.data.get(name) for name in ROW_KEYS}
    path = place(base, key)
    for end in range(len(path)):
        around = get(base, path[:end])
        there = [name for name, value in around.items() if value is not None] if isinstance(around, Mapping) else []
        if path[end] not in there:
            raise document.error(at, f"the base has no {key} to switch off{nearest(path[end], there)}")


def combined(document: Tree, changes: Iterable[Change]) -> dict[str, Written]:
    """Several changes as one.

    Raises:
        ConfigError: two of them set one key differently.
    """
    result: dict[str, Written] = {}
    for change in changes:
        for key, written in change.items():
            known = result.setdefault(key, written)
            if known.value != written.value:
                other = ".".join(known.at)
                raise document.error(written.at, f"sets {key}, which {other} sets too: make them one")
    return result


def without_keys(change: Change, replaced: Iterable[str]) -> dict[str, Written]:
    """A change without the keys that others replace, and everything below those keys."""
    result = dict(change)
    for path in [tuple(key.split(".")) for key in replaced]:
        for key, written in list(result.items()):
            own = tuple(key.split("."))
            if own[: len(path)] == path:
                del result[key]
            elif path[: len(own)] == own:
                rest = _without(written.value, path[len(own) :])
                if rest:
                    result[key] = Written(rest, written.at)
                else:
                    del result[key]
    return result


def _without(value: Any, path: KeyPath) -> Any:
    """A mapping without the value at a path, or None if nothing is left of it."""
    if not isinstance(value, Mapping) or not path:
        return None
    inner = _without(value.get(path[0]), path[1:])
    rest = {key: one for key, one in value.items() if key != path[0]}
    return rest | ({path[0]: inner} if inner else {})


def short_names(keys: Iterable[str]) -> dict[str, str]:
    """From dotted keys to their last pieces, as many as are needed to distinguish them."""
    pieces = {key: key.split(".") for key in keys}
    found = {}
    for key, own in pieces.items():
        counts = (
            count for count in range(1, len(own)) if sum(o[-count:] == own[-count:] for o in pieces.values()) == 1
        )
        found[key] = ".".join(own[-next(counts, len(own)) :])
    return found


def refuse_too_many(document: Tree, at: KeyPath, count: int, shown: str) -> None:
    """Refuses more than `LIMIT` rows.

    Raises:
        ConfigError: with their number, and what to do.
    """
    if count > LIMIT:
        message = (
            f"{count:,} rows{shown} are more than the {LIMIT:,} that a design may have: leave out values, write the "
            "rows that you need under rows, or use design: search, which tries some of them"
        )
        raise document.error(at, message)
