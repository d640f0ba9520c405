"""Refuses parts of a study that nothing reads: columns, data sets, options of protocols, names of scales."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from raysl.config.component import names
from raysl.config.document import find_scale, known_scales
from raysl.config.load import check_written
from raysl.config.parts import CONFIGURATION, refusal
from raysl.config.scale import Scale, aliases_of, load_scale
from raysl.config.suggest import nearest, suggestion
from raysl.config.tree import merge
from raysl.config.yaml_reader import Tree
from raysl.data.places import used_names
from raysl.models.inflate_options import inflated_from
from raysl.planning.data_sets import defined_name
from raysl.planning.differences import SEED
from raysl.planning.rows import Row, configuration, evaluated_names, evaluated_protocol, of_row, row_change


class Written(Protocol):
    """The study's options that are checked here."""

    design: Any
    evaluations: tuple[str, ...]
    columns: tuple[str, ...] | None


def is_own(document: Tree, path: tuple[str, ...]) -> bool:
    """Whether a key was written in the study itself, or with ``--set``, not in a recipe or a scale."""
    origin = document.where(path)
    return origin is not None and origin.file in (document.origins[()].file, "--set")


def check_study(document: Tree, options: Written, scale: Scale, path: Path, overrides: Tree) -> None:
    """Checks the names that a study writes, before its rows are resolved.

    Args:
        overrides: ``--set`` on keys of configurations; it may name a data set too.

    Raises:
        ConfigError: naming file, line and key: options of a protocol that is not evaluated, a scale that does not
            exist, a data set that nothing uses, or an invalid option anywhere.
    """
    for position, label in enumerate(options.evaluations):
        evaluated_protocol(label, ("evaluations", str(position)), document)
    _refuse_seeds(document, overrides)
    _refuse_unused_options(document, document)
    check_written(_under(document, scale))
    for name in document.data.get("scales") or {}:
        _check_own_scale(name, document, options, path)
    _check_data_sets(document, scale, path, overrides)


def _refuse_unused_options(tree: Tree, document: Tree) -> None:
    """Refuses options of evaluations, in the study or what a scale of its own sets, that no evaluation reads."""
    aliases = aliases_of(document)
    known = evaluated_names(document) | {*aliases, *aliases.values()}
    options = tree.data.get("evaluation")
    for name in options if isinstance(options, Mapping) else ():
        origin = tree.where(("evaluation", name))
        if name not in known and origin is not None and origin.file in (document.origins[()].file, "--set"):
            message = f"the study evaluates no {name!r}, so this changes nothing{nearest(name, known)}"
            raise tree.error(("evaluation", name), message)


def _refuse_seeds(document: Tree, overrides: Tree) -> None:
    """Refuses a seed in the study, in a row or with ``--set``; a recipe may have one, which is replaced."""
    message = "changes nothing: the seeds of all rows are listed under seeds"
    if SEED in overrides.origins:
        raise overrides.error(SEED, message)
    if SEED in document.origins and is_own(document, SEED):
        raise document.error(SEED, message)
    for name, change in (document.data.get("rows") or {}).items():
        if isinstance(change, Mapping) and "same_as" not in change:
            with of_row(name):
                row = row_change(document, name)
                if SEED in row.origins:
                    raise row.error(SEED, message)


def check_axes(document: Tree) -> None:
    """Refuses axes with keys that no configuration has, before rows are made of them.

    Raises:
        ConfigError: naming the axis.
    """
    axes = document.data.get("axes")
    for key in axes if isinstance(axes, Mapping) else ():
        if "." in key or key in CONFIGURATION or document.data.get("design") == "search":
            reason = refusal(tuple(key.split(".")), document.data, aliases_of(document))
            if reason is not None:
                raise document.error(("axes", key), reason)


def _under(document: Tree, scale: Scale) -> Tree:
    """The document with a scale applied."""
    base = configuration(document)
    base.data["datasets"] = document.data.get("datasets") or {}
    return merge(merge(scale.data_sets(), base), scale.laid())


def _check_own_scale(name: str, document: Tree, options: Written, path: Path) -> None:
    """Checks ``scales: {NAME: ...}``, whether the study is loaded at this scale or not."""
    at = ("scales", name)
    written, origin = document.data["scales"][name], document.where(at)
    if not isinstance(written, Mapping):
        raise document.error(at, f"a mapping of what the scale says is expected, not {written!r}")
    near = list(dict.fromkeys([path, *([] if origin is None else [Path(origin.file)])]))
    file = next((one for one in near if find_scale(name, one) is not None), None)
    if file is None and name != "paper" and not written.get("title"):
        known = sorted({scale for one in near for scale in known_scales(one)} | {"paper"})
        raise document.error(
            at, f"there is no scale {name!r}{nearest(name, known)}; one that only this study has needs a title"
        )
    if "trials" in written and options.design != "search" and is_own(document, (*at, "trials")):
        raise document.error((*at, "trials"), "only a search has trials (design: search)")
    scale = load_scale(name, file or path, document.data["scales"], document)
    _refuse_unused_options(scale.laid(), document)
    check_written(_under(document, scale))


def _check_data_sets(document: Tree, scale: Scale, path: Path, overrides: Tree) -> None:
    own = [name for name in document.data.get("datasets") or {} if is_own(document, ("datasets", name))]
    named = data_names(document) | _named([overrides.data.get("data")])
    used = {defined_name(name, document) for name in named}
    if set(own) <= used:
        return
    for one in _scales(document, scale, path):
        used |= {defined_name(name, document) for pair in one.substitute.items() for name in pair} | {*one.datasets}
    for name in own:
        if name not in used:
            near = suggestion(name, named - {*names("data set")})
            raise document.error(("datasets", name), f"nothing in the study uses this data set{near}")


def data_names(document: Tree) -> set[str]:
    """The data sets that a study names, as written: for pretraining, evaluations, and the scores of a search."""
    values = [document.data.get("data"), (document.data.get("search") or {}).get("data")]
    values += [_row_data(document, name) for name in document.data.get("rows") or {}]
    values += [label.partition("/")[2] for label in document.data["evaluations"]]
    return _named(values)


def root_names(document: Tree, rows: Sequence[Row]) -> frozenset[str]:
    """What ``--root NAME=PATH`` may bind for a study, at any scale: data sets, their readers, files."""
    sets = {part for name in data_names(document) for part in (name, name.partition("/")[0])}
    readers = _named(document.data["datasets"][name] for name in sets if name in document.data["datasets"])
    chosen = [row.cell.data for row in rows] + [one.data for row in rows for one in row.evaluations]
    weights = {inflated_from(row.cell.backbone.options) for row in rows} | set(_weights(document.data.get("axes")))
    protocols = [one.protocol for row in rows for one in row.evaluations]
    read = {one.component.file(one.options)[0] for one in protocols if one.component.file is not None}
    named = {name for name in weights if name} | read
    return frozenset({*sets, *(name.partition("/")[0] for name in readers), *used_names(chosen), *named})


def _weights(value: Any, named: bool = False) -> Iterator[str]:
    """The files of weights that a search may choose: every text below a key ``inflate_from``."""
    if isinstance(value, str) and named:
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _weights(inner, named or key.rpartition(".")[2] == "inflate_from")
    elif isinstance(value, list):
        for inner in value:
            yield from _weights(inner, named)


def _named(values: Iterable[Any]) -> set[str]:
    """The name in ``data: NAME`` or ``data: {name: NAME}``."""
    found = [value.get("name") if isinstance(value, Mapping) else value for value in values]
    return {name for name in found if isinstance(name, str) and name}


def _row_data(document: Tree, name: str) -> Any:
    row = document.data["rows"][name]
    if isinstance(row, Mapping) and "same_as" in row:
        return None
    with of_row(name):
        return row_change(document, name).data.get("data")


def _scales(document: Tree, scale: Scale, path: Path) -> Iterator[Scale]:
    """Every scale that may substitute a data set of this study: in use, the study's own, or with a file."""
    yield scale
    own = document.data.get("scales") or {}
    for name in dict.fromkeys([*own, *known_scales(path)]):
        if name in own or find_scale(name, path) is not None:
            yield load_scale(name, path, own, document)


def check_columns(document: Tree, options: Written, rows: Sequence[Row]) -> None:
    """Refuses columns that no result will have, and numbers of reference lines that belong to no column.

    Raises:
        ConfigError: naming file, line and key.
    """
    metrics = {label: _metrics(position, rows) for position, label in enumerate(options.evaluations)}
    table = []
    for position, text in enumerate(options.columns or options.evaluations):
        at = ("columns" if options.columns else "evaluations", str(position))
        label, colon, metric = text.partition(":")
        if label not in metrics:
            raise document.error(at, f"{text!r}: there is no evaluation {label!r}{nearest(label, metrics)}")
        measured = metrics[label]
        if colon and measured is not None and metric not in measured:
            raise document.error(at, f"{text!r}: {label} measures no {metric!r}{nearest(metric, measured)}")
        shown = text if colon or not measured else f"{label}:{measured[0]}"
        if shown in table:
            raise document.error(at, f"{text!r} is given twice")
        table.append(shown)
    for position, line in enumerate(document.data.get("reference") or ()):
        for key in line.get("values") or {} if isinstance(line, Mapping) else {}:
            if key not in table:
                where = ("reference", str(position), "values", key)
                raise document.error(where, f"is no column of the table{nearest(key, table)}")


def _metrics(position: int, rows: Sequence[Row]) -> tuple[str, ...] | None:
    """The metrics of an evaluation in any row; None if its protocol does not list them."""
    found: dict[str, None] = {}
    for row in rows:
        protocol = row.evaluations[position].protocol
        if protocol.component.metrics is None:
            return None
        found |= dict.fromkeys(protocol.component.metrics(protocol.options))
    return tuple(found)
