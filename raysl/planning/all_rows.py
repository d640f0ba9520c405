"""All rows of a study, with those that repeat another on purpose; rows that are equal by mistake are refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pydantic import ValidationError

from raysl.config.cell import with_start
from raysl.config.identity import evaluation_id, identity
from raysl.config.scale import AS_WRITTEN, Scale
from raysl.config.suggest import nearest
from raysl.config.tree import expand, merge
from raysl.config.yaml_reader import Tree
from raysl.errors import ConfigError
from raysl.planning.designs import Design
from raysl.planning.rows import Row, of_row, resolve_row


def with_row_overrides(document: Tree, given: Tree) -> Tree:
    """The document with rows changed by ``--set rows.NAME.key=value``.

    Raises:
        ConfigError: there is no such row, or the value is no change of one.
    """
    rows, overrides = dict(document.data.get("rows") or {}), given.data.get("rows", {})
    if not isinstance(overrides, Mapping):
        raise given.error(("rows",), f"a mapping from rows to changes is expected, not {overrides!r}")
    origins = dict(document.origins)
    for name, change in overrides.items():
        at = ("rows", name)
        if name not in rows:
            raise given.error(at, f"there is no row {name!r}{nearest(name, rows)}")
        if not isinstance(change, Mapping):
            raise given.error(at, f"a mapping of what the row changes is expected, not {change!r}")
        row = merge(expand(rows[name] or {}, document.origins, at), expand(change, given.origins, at))
        rows[name] = row.data
        origins |= {(*at, *path): origin for path, origin in row.origins.items() if path}
    return Tree({**document.data, "rows": rows} if overrides else document.data, origins)


def resolve_rows(design: Design, scale: Scale, overrides: Tree) -> tuple[Row, ...]:
    """All rows of a study; one with ``same_as: OTHER`` is resolved as the other.

    A row with ``init: {from: OTHER}`` starts from the cell of that row at the same seed (and fold).

    Raises:
        ConfigError: naming file, line, key and row.
    """
    document = design.document
    repeated = _repeated(document)
    found: dict[str, Row] = {}
    for name in document.data.get("rows") or {}:
        if name in repeated:
            continue
        with of_row(name):
            found[name] = resolve_row(design.document_of(name), name, scale, overrides)
    for name in found:
        with of_row(name):
            _start(found, name, document, repeated)
    rows = []
    for name in document.data.get("rows") or {}:
        target = name
        while target in repeated:
            target = repeated[target]
        rows.append(replace(found[target], name=name, same_as=repeated.get(name)))
    return tuple(rows)


def _start(
    found: dict[str, Row], name: str, document: Tree, repeated: Mapping[str, str], chain: tuple[str, ...] = ()
) -> Row:
    """The row with the configuration that it starts from, instead of that row's name.

    Raises:
        ConfigError: there is no such row; it trains nothing and is no random start; a circle; another backbone.
    """
    row, chain = found[name], (*chain, name)
    other = None if row.cell.init is None else getattr(row.cell.init, "from")
    if not isinstance(other, str):
        return row
    own = ("rows", name, "init", "from")
    at = own if own in document.origins else ("init", "from")
    target = other
    while target in repeated:
        target = repeated[target]
    if target not in found:
        raise document.error(at, f"there is no row {other!r} to start from{nearest(other, found.keys() - {name})}")
    if target in chain:
        circle = " -> ".join([*chain[chain.index(target) :], target])
        raise document.error(at, f"a row cannot start from itself: {circle}")
    source = _start(found, target, document, repeated, chain)
    try:
        found[name] = replace(row, cell=with_start(row.cell, source.cell))
    except ValidationError as error:
        raise document.error(at, error.errors()[0]["msg"].removeprefix("Value error, ")) from error
    return found[name]


def _repeated(document: Tree) -> dict[str, str]:
    """The rows with ``same_as: OTHER``, and the others.

    Raises:
        ConfigError: another key besides it; no such row; a circle.
    """
    rows = document.data.get("rows") or {}
    repeated: dict[str, str] = {}
    for name, change in rows.items():
        if not isinstance(change, Mapping) or "same_as" not in change:
            continue
        at = ("rows", name, "same_as")
        other = document.text(at, change["same_as"])
        if len(change) > 1:
            raise document.error(at, "must be the only key: a row that repeats another changes nothing of it")
        if not isinstance(other, str) or other not in rows:
            raise document.error(at, f"there is no row {other!r}{nearest(str(other), rows.keys() - {name})}")
        repeated[name] = other
    for name in repeated:
        chain = [name]
        while chain[-1] in repeated:
            following = repeated[chain[-1]]
            if following in chain:
                raise document.error(
                    ("rows", name, "same_as"), f"goes round in a circle: {' -> '.join([*chain, following])}"
                )
            chain.append(following)
    return repeated


def refuse_equal(document: Tree, rows: tuple[Row, ...], scale: str, chosen: Scale, given: Tree) -> None:
    """Refuses two rows that are one computation, as written or because of the scale or ``--set``.

    Raises:
        ConfigError: naming both rows, and the keys that a scale or ``--set`` took from them.
    """
    bare = Tree({}, given.origins)
    seen: dict[tuple[str, ...], Row] = {}
    for row in rows:
        twin = seen.setdefault(row.identity, row) if row.same_as is None else row
        if twin is row:
            continue
        if chosen is not AS_WRITTEN or given.data:
            first, second = (resolve_row(document, name, AS_WRITTEN, bare) for name in (twin.name, row.name))
            if first.identity != second.identity:
                lost = ", ".join(_difference(first, second))
                cause = f"--scale {scale}" + (" with --set" if given.data else "")
                raise ConfigError(
                    f"{document.origins[()]}: {cause} makes the rows {twin.name!r} and {row.name!r} equal: lost: {lost}"
                )
        raise document.error(
            ("rows", row.name),
            f"is the same computation as row {twin.name!r}: nothing that it changes makes a difference. Correct or "
            f"remove one of them, or write {row.name}: {{same_as: {twin.name}}} if the table repeats a row on purpose",
        )


def _difference(first: Row, second: Row) -> list[str]:
    pairs = [{(".".join(path), repr(value)) for path, value in identity(row.cell)} for row in (first, second)]
    keys = {key for key, _ in pairs[0] ^ pairs[1]}
    if first.cell.data.bound_name != second.cell.data.bound_name:
        keys.add("data")
    for one, other in zip(first.evaluations, second.evaluations, strict=True):
        if evaluation_id(one) != evaluation_id(other):
            keys.add(f"evaluation.{one.protocol.name}")
    return sorted(keys)
