"""Designs: the rows of a study that follow from a few lines of it.

A design is a function from a document to rows, which are then resolved as if they were written out. The rows that
a study lists under ``rows`` come first, then those of the design in the order of its values or parts.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from raysl.config.scale import AS_WRITTEN, Scale
from raysl.config.suggest import nearest
from raysl.config.tree import origins_within
from raysl.config.yaml_reader import KeyPath, Origin, Tree
from raysl.errors import ConfigError
from raysl.planning.levels import (
    Change,
    Part,
    Written,
    combined,
    read_levels,
    read_parts,
    refuse_too_many,
    without_keys,
)
from raysl.planning.rows import Row, resolve_row

KEYS = {
    "axes": ("grid", "one_factor", "search"),
    "search": ("search",),
    "parts": ("leave_one_out", "add_one_in"),
    "core": ("add_one_in",),
}
"""From keys of a study to the designs that have them."""

IDLE = "changes nothing: no value of it gives another configuration"


@dataclass(frozen=True)
class Point:
    """One row of a design.

    Attributes:
        change: what the row changes.
        at: where it is written.
        levels: of a grid: from axis to the name of the value.
    """

    change: Change
    at: KeyPath
    levels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Design:
    """A document with its design's rows.

    Attributes:
        document: with the design's rows among its ``rows``.
        points: the design's rows, by name.
        reference: the row that is the base, or the core of ``add_one_in``; None if only resolving determines it.
        written: the document without the design's rows.
    """

    document: Tree
    points: Mapping[str, Point]
    reference: str | None
    written: Tree

    def document_of(self, name: str) -> Tree:
        """The document for resolving one row, with the lines of this row alone: a study may have thousands."""
        point, at = self.points.get(name), ("rows", name)
        if point is None:
            change = (self.document.data.get("rows") or {}).get(name)
            written = origins_within(change, self.written.origins, at)
            own = {(*at, *path): origin for path, origin in written.items()}
        else:
            own = _origins(self.written, name, point.change, point.at)
        return Tree(self.document.data, self._of_no_row | own)

    @cached_property
    def _of_no_row(self) -> dict[KeyPath, Origin]:
        return _without_rows(self.written.origins)

    def over(self, document: Tree) -> Design:
        """The same design on the extended document: with the data sets of a scale, and rows changed by ``--set``."""
        known = self.document.origins
        added = {path: origin for path, origin in document.origins.items() if known.get(path) != origin}
        return replace(self, document=document, written=Tree(self.written.data, self.written.origins | added))

    def check(self, rows: Sequence[Row], scale: Scale, overrides: Tree) -> str | None:
        """Refuses rows of the design that repeat others; returns the row that is the baseline if a study sets none.

        Args:
            rows: all of the study, resolved with ``scale`` and ``overrides``. Rows that only these make equal are
                refused elsewhere.

        Raises:
            ConfigError: an axis or a part that changes nothing; two rows that are the same computation.
        """
        if not self.points:
            return None
        own = [row for row in rows if row.same_as is None]
        identities = {row.name: row.identity for row in own}
        for axis in next(iter(self.points.values())).levels:
            self._check_axis(axis, identities)
        seen: dict[tuple[str, ...], str] = {}
        for name, identity in identities.items():
            twin = seen.setdefault(identity, name)
            if twin != name and {name, twin} & self.points.keys():
                self._refuse_twins(twin, name)
        return self.reference or self._base_among(own, scale, overrides)

    def _check_axis(self, axis: str, identities: Mapping[str, tuple[str, ...]]) -> None:
        """Refuses an axis of a grid if its values make no difference, whatever the others are."""
        groups: dict[tuple[tuple[str, str], ...], set[tuple[str, ...]]] = {}
        for name, point in self.points.items():
            rest = tuple((other, level) for other, level in point.levels.items() if other != axis)
            groups.setdefault(rest, set()).add(identities[name])
        if any(len(found) > 1 for found in groups.values()):
            return
        for point in self.points.values():
            rest_of_it = {key: one for key, one in point.change.items() if one.at[:2] != ("axes", axis)}
            if _identity(self.document, point.change) != _identity(self.document, rest_of_it):
                return
        raise self.document.error(("axes", axis), IDLE)

    def _refuse_twins(self, first: str, second: str) -> None:
        """Refuses two rows that are the same as written; if only one is of the design, it is the second."""
        point, other = self.points.get(second), self.points.get(first)
        if _identity(self.document, self._change(first)) != _identity(self.document, self._change(second)):
            return
        if point is not None and point.at[0] == "parts" and first == self.reference:
            raise self.document.error(point.at, f"changes nothing: {second!r} is the same computation as {first!r}")
        at = (point or self.points[first]).at
        if point is not None and other is not None:
            differing = [axis for axis, level in other.levels.items() if point.levels.get(axis) != level]
            at = ("axes", differing[0]) if differing else at
        message = f"the rows {first!r} and {second!r} are the same computation: leave one of them out"
        raise self.document.error(at, message)

    def _change(self, name: str) -> Change:
        if name in self.points:
            return self.points[name].change
        written = self.document.data["rows"][name] or {}
        return {key: Written(value, ("rows", name, key)) for key, value in written.items()}

    def _base_among(self, rows: Sequence[Row], scale: Scale, overrides: Tree) -> str | None:
        """The row that is the study's base; None if there is none, or if the base is no configuration."""
        try:
            base = resolve_change(self.document, "base", {}, scale, overrides)
        except ConfigError:  # the axes may supply what the base leaves open
            return None
        return next((row.name for row in rows if row.identity == base.identity), None)


def read_design(document: Tree) -> Design:
    """The design of a document; its rows are not resolved yet.

    Raises:
        ConfigError: naming file, line and key: a key of another design, an empty axis, a part that the base does not
            have, more than `raysl.planning.levels.LIMIT` rows, two rows of one name.
    """
    kind = document.data.get("design", "rows")
    if kind not in ("rows", "search", *DESIGNS):  # refused with the other options of a study
        return Design(document, {}, None, document)
    for key, kinds in KEYS.items():
        if document.data.get(key) is not None and kind not in kinds:
            raise document.error((key,), f"belongs to design: {' or '.join(kinds)}; this is design: {kind}")
    make = DESIGNS.get(kind)
    if make is None:
        return Design(document, {}, None, document)
    explicit = document.data.get("rows") or {}
    if not isinstance(explicit, Mapping):
        raise document.error(("rows",), f"a mapping from names to what rows change is expected, not {explicit!r}")
    rows = dict(explicit)
    reference, points = make(document, rows)
    origins = dict(document.origins)
    for name, point in points.items():
        rows[name] = {key: one.value for key, one in point.change.items()}
        origins |= _origins(document, name, point.change, point.at)
    return Design(Tree({**document.data, "rows": rows}, origins), points, reference, document)


def _grid(document: Tree, explicit: Mapping[str, Any]) -> tuple[str | None, dict[str, Point]]:
    axes = read_levels(document)
    sizes = [len(levels) for levels in axes.values()]
    refuse_too_many(document, ("axes",), math.prod(sizes), f" ({' × '.join(str(size) for size in sizes)})")
    points: dict[str, Point] = {}
    for chosen in itertools.product(*axes.values()):
        levels = dict(zip(axes, chosen, strict=True))
        change = combined(document, [level.change for level in chosen])
        point = Point(change, chosen[-1].at, {axis: level.name for axis, level in levels.items()})
        _add(document, explicit, points, ", ".join(level.name for level in chosen), point)
    return None, points


def _one_factor(document: Tree, explicit: Mapping[str, Any]) -> tuple[str | None, dict[str, Point]]:
    """The base once, and each value of each axis that differs from the base's own."""
    axes = read_levels(document)
    sizes = [len(levels) for levels in axes.values()]
    refuse_too_many(document, ("axes",), sum(sizes), f" ({' + '.join(str(size) for size in sizes)})")
    shared = _without_rows(document.origins)
    base = _identity(document, {}, shared)
    same = {
        axis: [level.name for level in own if _identity(document, level.change, shared) == base]
        for axis, own in axes.items()
    }
    for axis, own in axes.items():
        if len(same[axis]) == len(own):
            raise document.error(("axes", axis), IDLE)
    reference = _row_of_base(explicit)
    if reference is None and len(axes) == 1:
        reference = next(iter([name for names in same.values() for name in names]), None)
    points: dict[str, Point] = {}
    if reference is None:
        reference = "base"
        _add(document, explicit, points, reference, Point({}, ("axes",)))
    for axis, own in axes.items():
        for level in own:
            if level.name not in same[axis] or level.name == reference:
                _add(document, explicit, points, level.name, Point(level.change, level.at))
    return reference, points


def _leave_one_out(document: Tree, explicit: Mapping[str, Any]) -> tuple[str | None, dict[str, Point]]:
    parts = read_parts(document, ("parts",), document.data.get("parts"), "without", lambda short: f"without {short}")
    reference = _row_of_base(explicit)
    points: dict[str, Point] = {}
    if reference is None:
        reference = "base"
        _add(document, explicit, points, reference, Point({}, ("parts",)))
    for part in parts.values():
        if not part.absent:
            raise document.error(part.at, "does not have what a row without it changes")
        _add(document, explicit, points, part.name, Point(part.absent, part.at))
    return reference, points


def _add_one_in(document: Tree, explicit: Mapping[str, Any]) -> tuple[str | None, dict[str, Point]]:
    """The core, and the core with each part; where a part and the core set the same key, the part wins."""
    core = document.data.get("core") or {}
    named = core if isinstance(core, str) else None
    if named is not None and named not in explicit:
        raise document.error(("core",), f"there is no row {named!r} under rows{nearest(named, explicit)}")
    source: KeyPath = ("core",) if named is None else ("rows", named)
    data = core if named is None else explicit[named] or {}
    if not isinstance(data, Mapping):
        raise document.error(source, f"the name of a row is expected, or a mapping of changes, not {data!r}")
    own = {key: Written(value, (*source, key)) for key, value in data.items()}

    def title(short: str) -> str:
        return f"{named or 'core'} + {short}"

    parts = read_parts(document, ("parts",), document.data.get("parts"), "with", title)

    def core_with(part: Part | None) -> dict[str, Written]:
        absent = [] if named is not None else [other.absent for other in parts.values() if other is not part]
        return {**without_keys(combined(document, absent), own), **own}

    points: dict[str, Point] = {}
    reference = named
    if reference is None:
        whole = core_with(None)
        reference = "core" if whole else _row_of_base(explicit) or "base"
        if whole or reference not in explicit:
            _add(document, explicit, points, reference, Point(whole, ("core",) if own else ("parts",)))
    for part in parts.values():
        if not part.present and not part.keys:
            raise document.error(part.at, "does not have what a row with it changes")
        rest = without_keys(core_with(part), [*part.keys, *part.present])
        _add(document, explicit, points, part.name, Point({**rest, **part.present}, part.at))
    return reference, points


DESIGNS: dict[str, Callable[[Tree, Mapping[str, Any]], tuple[str | None, dict[str, Point]]]] = {
    "grid": _grid,
    "one_factor": _one_factor,
    "leave_one_out": _leave_one_out,
    "add_one_in": _add_one_in,
}
"""From a document and its explicit rows to the row that is the base, if known, and the design's rows."""


def _row_of_base(explicit: Mapping[str, Any]) -> str | None:
    """The explicit row that changes nothing, which is the base."""
    return next((name for name, change in explicit.items() if not change), None)


def _add(document: Tree, explicit: Mapping[str, Any], points: dict[str, Point], name: str, point: Point) -> None:
    """Adds a row of the design.

    Raises:
        ConfigError: there is one of this name.
    """
    if name in explicit:
        raise document.error(point.at, f"gives the row {name!r}, which rows has too: rename one of them")
    if name in points:
        raise document.error(point.at, f"gives the row {name!r}, as {'.'.join(points[name].at)} does: name them apart")
    points[name] = point


def resolve_change(
    document: Tree,
    name: str,
    change: Change,
    scale: Scale = AS_WRITTEN,
    overrides: Tree | None = None,
    shared: Mapping[KeyPath, Origin] | None = None,
) -> Row:
    """The row with a change, which need not be among the document's; without a scale, as written.

    Args:
        shared: the document's origins `_without_rows`, where many changes are resolved.
    """
    evaluations = document.data.get("evaluations")
    data = {
        **document.data,
        "evaluations": evaluations if isinstance(evaluations, list | tuple) else (),
        "rows": {name: {key: one.value for key, one in change.items()}},
    }
    shared = _without_rows(document.origins) if shared is None else shared
    origins = {**shared, **_origins(document, name, change, ())}
    return resolve_row(Tree(data, origins), name, scale, overrides or Tree({}, {(): document.origins[()]}))


def _identity(document: Tree, change: Change, shared: Mapping[KeyPath, Origin] | None = None) -> tuple[str, ...]:
    return resolve_change(document, "base", change, shared=shared).identity


def _without_rows(origins: Mapping[KeyPath, Origin]) -> dict[KeyPath, Origin]:
    """Those of what every row reads: not of other rows, nor of what a design makes rows of."""
    return {path: origin for path, origin in origins.items() if path[:1] not in (("rows",), *((key,) for key in KEYS))}


def _origins(document: Tree, name: str, change: Change, at: KeyPath) -> dict[KeyPath, Origin]:
    """The origins of a row and everything in it."""
    found: dict[KeyPath, Origin | None] = {("rows", name): document.where(at)}
    for key, one in change.items():
        found["rows", name, key] = document.where(one.at)
        within = origins_within(one.value, document.origins, one.at)
        found |= {("rows", name, key, *path): origin for path, origin in within.items() if path}
    return {path: origin for path, origin in found.items() if origin is not None}
