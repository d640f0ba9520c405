"""The point of a search that is its base: it is the first trial, so that others can be compared with it."""

from __future__ import annotations

from typing import Any

from raysl.config.identity import cell_id, resolved
from raysl.errors import ConfigError
from raysl.planning.axes import Axis, Point, is_open
from raysl.planning.search import Search


def base_point(search: Search) -> Point | None:
    """The point whose configuration is the base's own; None if the axes have no such point."""
    point: Point = {}
    for axis in search.axes:
        if is_open(axis, search.axes, point):
            found = _value(axis, search, point)
            if found is None:
                return None
            point |= found
    return point if _is_base(search, point) else None


def _value(axis: Axis, search: Search, point: Point) -> Point | None:
    """The base's value on one axis, given its values on those before; None if the axis has no such value."""
    if axis.kind == "choice":  # a value may be a mapping of some keys: it is the base's if it changes nothing
        found = [name for name in axis.values if _is_base(search, point | {axis.key: name})]
        return {axis.key: found[0]} if found else None
    value = _configured(search, axis.key)
    if axis.kind == "subsets":
        return {f"{axis.key}.{name}": name in (value or {}) for name in axis.values}
    if not isinstance(value, int | float) or not axis.low <= value <= axis.high:
        return None
    return {axis.key: int(value) if axis.kind == "integers" else float(value)}


def _configured(search: Search, key: str) -> Any:
    value: Any = resolved(search.base.cell)
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _is_base(search: Search, point: Point) -> bool:
    try:
        return cell_id(search.trial(point)) == cell_id(search.trial({}))
    except ConfigError:  # no configuration at all
        return False
