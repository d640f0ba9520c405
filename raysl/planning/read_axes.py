"""Reads and checks the key ``axes`` of a study."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from raysl.config.options import Options, option
from raysl.config.resolve import resolve
from raysl.config.suggest import nearest
from raysl.config.yaml_reader import Tree
from raysl.planning.axes import Axis


class AxisOptions(Options):
    """One axis: exactly one distribution, and the condition under which it is open."""

    choice: tuple[Any, ...] | dict[str, Any] | None = option(
        None, doc="the values, equally likely at first; a mapping gives values a name", source="per study"
    )
    uniform: tuple[Any, ...] | None = option(None, doc="[low, high], evenly", source="per study")
    loguniform: tuple[Any, ...] | None = option(None, doc="[low, high], with a uniform logarithm", source="per study")
    integers: tuple[Any, ...] | None = option(None, doc="[low, high], both included", source="per study")
    subsets: tuple[str, ...] | dict[str, Any] | None = option(
        None, doc="members that are in or out; a mapping gives each its options", source="per study"
    )
    when: dict[str, Any] = option(
        {},
        doc="earlier axis to its value, or to a list of values, one of which it must have (of subsets: hold)",
        source="per study",
    )


def read_axes(document: Tree) -> tuple[Axis, ...]:
    """The key ``axes`` of a study.

    Raises:
        ConfigError: naming the axis: no distribution or two, bounds that are none, a condition on what is no earlier
            axis or no value of it, a member of subsets that is an axis too.
    """
    written = document.data.get("axes")
    if not isinstance(written, Mapping) or not written:
        raise document.error(("axes",), "a search needs axes: a mapping from keys to distributions")
    axes: dict[str, Axis] = {}
    for key, value in written.items():
        options = resolve(AxisOptions, document, ("axes", key), data={} if value is None else value)
        axes[key] = _axis(key, options, axes, document)
    for axis in axes.values():
        _refuse_members(axis, axes, document)
    return tuple(axes.values())


def _refuse_members(axis: Axis, axes: Mapping[str, Axis], document: Tree) -> None:
    """Refuses axes that are members of subsets, and axes below a member that are not conditional on it.

    Raises:
        ConfigError: naming the axis.
    """
    for other in axes.values() if axis.kind == "subsets" else ():
        for name, parameter in zip(axis.values, axis.parameters, strict=True):
            if other.key == parameter:
                raise document.error(("axes", other.key), f"is a member of {axis.key} too: remove one of them")
            if other.key.startswith(f"{parameter}.") and other.when.get(axis.key) != (name,):
                raise document.error(
                    ("axes", other.key),
                    f"would switch {name} on where {axis.key} leaves it out: write when: {{{axis.key}: {name}}}",
                )


def _axis(key: str, options: AxisOptions, earlier: Mapping[str, Axis], document: Tree) -> Axis:
    kinds = ("choice", "uniform", "loguniform", "integers", "subsets")
    given = [kind for kind in kinds if getattr(options, kind) is not None]
    at = ("axes", key)
    if len(given) != 1:
        raise document.error(at, f"give exactly one of {', '.join(kinds)}, not {' and '.join(given) or 'none'}")
    kind = given[0]
    when = {name: _names(name, value, earlier, document, at) for name, value in options.when.items()}
    if kind in ("choice", "subsets"):
        return Axis(key, kind, _values(getattr(options, kind), kind, document, at), when=when)
    low, high = _bounds(getattr(options, kind), kind, document, at)
    return Axis(key, kind, low=low, high=high, when=when)


def _values(written: Any, kind: str, document: Tree, at: tuple[str, ...]) -> dict[str, Any]:
    if isinstance(written, Mapping):
        values = {name: {} if kind == "subsets" and value is None else value for name, value in written.items()}
    else:
        values = {_shown(value): ({} if kind == "subsets" else value) for value in written}
        if len(values) != len(written):
            raise document.error(at, f"{kind}: a value is given twice")
    if len(values) < (1 if kind == "subsets" else 2):
        raise document.error(at, f"{kind}: there is nothing to choose from")
    return values


def _shown(value: Any) -> str:
    return "null" if value is None else str(value)


def _bounds(written: tuple[Any, ...], kind: str, document: Tree, at: tuple[str, ...]) -> tuple[float, float]:
    whole = kind == "integers"
    right = len(written) == 2 and all(
        isinstance(bound, int if whole else int | float) and not isinstance(bound, bool) and math.isfinite(bound)
        for bound in written
    )
    if not right or not written[0] < written[1]:
        numbers = "two whole numbers" if whole else "two numbers"
        raise document.error(at, f"{kind}: {numbers}, the lower one first, not {list(written)}")
    if kind == "loguniform" and written[0] <= 0:
        raise document.error(at, f"loguniform: {written[0]} has no logarithm")
    return float(written[0]), float(written[1])


def _names(key: str, value: Any, earlier: Mapping[str, Axis], document: Tree, at: tuple[str, ...]) -> tuple[str, ...]:
    where = (*at, "when", key)
    if key not in earlier:
        raise document.error(where, f"when: {key!r} is no axis that comes before this one{nearest(key, earlier)}")
    known = earlier[key].values
    if isinstance(value, list | tuple):
        names = tuple(_name(one, (*where, str(position)), known, document) for position, one in enumerate(value))
    else:
        names = (_name(value, where, known, document),)
    if not names:
        raise document.error(where, f"when: {key} has no value in an empty list")
    for name in names:
        if not known:
            raise document.error(where, f"when: {key} is a number: conditions are on choice and subsets")
        if name not in known:
            raise document.error(where, f"when: {name!r} is no value of {key}{nearest(name, known)}")
    return names


def _name(value: Any, at: tuple[str, ...], known: Mapping[str, Any], document: Tree) -> str:
    """The name of a value, which may look like a number: ``when: {rate: 0.10}``."""
    written = document.text(at, value)
    return written if written in known else _shown(value)
