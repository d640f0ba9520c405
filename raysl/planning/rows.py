"""One row of a study, resolved: base, scale, row and overrides merged in that order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from raysl.config.cell import CellConfig, Slot
from raysl.config.component import Chosen, find
from raysl.config.document import CELL_KEYS
from raysl.config.evaluation import EvaluationConfig
from raysl.config.identity import cell_id, evaluation_id, resolved
from raysl.config.load import refuse_unknown_set, resolve_cell
from raysl.config.resolve import choose
from raysl.config.scale import AS_WRITTEN, Scale, aliases_of, multiply, substitute_name
from raysl.config.suggest import nearest, suggestion
from raysl.config.tree import expand, get, merge
from raysl.config.yaml_reader import KeyPath, Origin, Tree
from raysl.errors import ConfigError
from raysl.planning.data_sets import defined_name, definition, names_set, root_name, with_root_name

ROW_KEYS = (*CELL_KEYS, "evaluation")


@dataclass(frozen=True)
class Row:
    """One line of a table: a training (with open seed) and its evaluations.

    Attributes:
        same_as: the row that this one repeats on purpose, as a published table does; the same computation.
    """

    name: str
    cell: CellConfig
    evaluations: tuple[EvaluationConfig, ...]
    same_as: str | None = None

    @property
    def identity(self) -> tuple[str, ...]:
        """Two rows with equal identities are the same computation."""
        sets = [evaluation.data for evaluation in self.evaluations]
        if self.cell.pretraining != "none":
            sets.insert(0, self.cell.data)
        ids = (cell_id(self.cell), *(evaluation_id(evaluation) for evaluation in self.evaluations))
        return (*ids, *(data.source_name for data in sets))


def resolve_row(document: Tree, name: str, scale: Scale, overrides: Tree) -> Row:
    """Resolves one row of a document (which has ``rows`` and ``evaluations``).

    Raises:
        ConfigError: naming file, line and key.
    """
    base = merge(configuration(document), scale.laid())
    tree = merge(base, row_change(document, name))
    rest = Tree({key: value for key, value in overrides.data.items() if key != "evaluation"}, dict(overrides.origins))
    bound = root_name(tree.data.get("data"), document, scale)
    tree = _with_data_set(tree, document, scale)
    if names_set(rest.data.get("data")):
        bound = root_name(rest.data["data"], document, AS_WRITTEN)
        rest = _with_data_set(rest, document, AS_WRITTEN)
    pretraining = Tree({key: value for key, value in tree.data.items() if key != "evaluation"}, tree.origins)
    cell, written = _scaled_cell(pretraining, scale, rest)
    shared = _pretraining_set(base, document, scale, overrides)
    evaluations = []
    for position, label in enumerate(document.data["evaluations"]):
        at = ("evaluations", str(position))
        evaluation, options = _evaluation(label, at, tree, document, scale, overrides, shared)
        _check(evaluation, cell, Tree({**written.data, **options.data}, {**written.origins, **options.origins}))
        evaluations.append(evaluation)
    return Row(name, with_root_name(cell, bound), tuple(evaluations))


@contextmanager
def of_row(name: str) -> Iterator[None]:
    """Adds the row to an error that does not name it."""
    try:
        yield
    except ConfigError as error:
        shown = f"(row {name!r})"
        if shown in str(error) or f"rows.{name}" in str(error):
            raise
        raise ConfigError(f"{error} {shown}") from error


def configuration(document: Tree) -> Tree:
    """What rows change: the sections of a cell and the options of protocols."""
    return Tree({key: value for key, value in document.data.items() if key in ROW_KEYS}, dict(document.origins))


def row_change(document: Tree, name: str) -> Tree:
    """The changes of a row, as a tree.

    Raises:
        ConfigError: no mapping; a key that no row has; options of a protocol that the study does not evaluate.
    """
    change = document.data["rows"][name] or {}
    at: KeyPath = ("rows", name)
    if not isinstance(change, Mapping):
        raise document.error(at, f"a mapping of what the row changes is expected, not {change!r}")
    for key in change:
        if key.split(".")[0] not in ROW_KEYS:
            raise document.error((*at, key), f"unknown row key{nearest(key.split('.')[0], ROW_KEYS)}")
    return evaluated_options(expand(change, document.origins, at), document)


def evaluated_names(document: Tree) -> set[str]:
    """Names that a row and ``--set`` may write below ``evaluation``: what is evaluated, and protocols of aliases."""
    named = {str(label).partition("/")[0] for label in document.data["evaluations"]}
    return named | {protocol for alias, protocol in aliases_of(document).items() if alias in named}


def evaluated_options(change: Tree, document: Tree) -> Tree:
    """The change of a row or of ``--set``; options must be of protocols that the study evaluates.

    Raises:
        ConfigError: naming the one that is not.
    """
    options = change.data.get("evaluation")
    if options is None:
        return change
    known = evaluated_names(document)
    if not isinstance(options, Mapping):
        raise change.error(("evaluation",), f"a mapping from protocols to options is expected, not {options!r}")
    change = _with_import_paths(change, known)
    for name in change.data["evaluation"]:
        if name not in known:
            raise change.error(
                ("evaluation", name),
                f"the study evaluates no {name!r}, so this would change nothing{nearest(name, known)}",
            )
    return change


def _with_import_paths(change: Tree, known: set[str]) -> Tree:
    """``evaluation.lab.probe.clips: 3`` as options of the protocol ``lab.probe``."""
    for name in known:
        path = ("evaluation", *name.split("."))
        if len(path) > 2 and isinstance(get(change.data, path), Mapping):
            lifted = {"evaluation": {name: get(change.data, path)}}
            origins = {
                ("evaluation", name, *at[len(path) :]): origin
                for at, origin in change.origins.items()
                if at[: len(path)] == path
            }
            others = {key: value for key, value in change.data["evaluation"].items() if key != path[1]}
            rest = Tree({**change.data, "evaluation": others}, change.origins)
            change = merge(rest, Tree(lifted, origins))
    return change


def _check(evaluation: EvaluationConfig, cell: CellConfig, written: Tree) -> None:
    """Lets the protocol refuse a cell or data that it cannot be applied to."""
    protocol = evaluation.protocol
    if protocol.component.check is None:
        return
    try:
        protocol.component.check(protocol.options, cell)
    except ConfigError as error:
        name = evaluation.label.partition("/")[0]
        raise written.misfit(("evaluation", name), str(error)) from error


def _pretraining_set(base: Tree, document: Tree, scale: Scale, overrides: Tree) -> tuple[str, Tree]:
    """Name and options of the study's own ``data``, for evaluations on the data set of this name.

    It is the study's, not the row's: a row that pretrains on other videos is tested on the same ones. So it is with
    ``--set data=OTHER``; options alone (``--set data.split=2``) apply to both.
    """
    written = base.data.get("data")
    name = written if isinstance(written, str) else (written or {}).get("name", "")
    if not name:
        return "", Tree({})
    change = {key: value for key, value in overrides.data.items() if key == "data" and not names_set(value)}
    resolved_set = _with_data_set(Tree({"data": written}, base.origins), document, scale)
    return substitute_name(name, scale), merge(resolved_set, Tree(change, overrides.origins))


def _scaled_cell(tree: Tree, scale: Scale, overrides: Tree) -> tuple[CellConfig, Tree]:
    """The cell, and where its values come from."""
    cell = resolve_cell(tree)
    if not scale.multiply and not overrides.data:
        return cell, tree
    data, origins = resolved(cell), dict(tree.origins)
    multiply(data, scale, origins)
    changed = merge(Tree(data, origins), overrides)
    return resolve_cell(changed), changed


def data_set(value: Any, document: Tree, scale: Scale) -> Any:
    """Substitutes the scale's data set, and replaces a name by its definition under ``datasets:``."""
    given = {"name": value} if isinstance(value, str) else dict(value)
    name = given.get("name")
    if not isinstance(name, str):
        return value
    substitute = substitute_name(name, scale)
    if substitute != name:
        given = {"name": substitute}
    known = defined_name(substitute, document)
    if known is None:
        return given
    return {**definition(known, substitute, document), **{key: item for key, item in given.items() if key != "name"}}


def _with_data_set(tree: Tree, document: Tree, scale: Scale) -> Tree:
    """The tree with its ``data`` as from `data_set`; the options' origins are under ``datasets:``."""
    value = tree.data.get("data")
    if value is None:
        return tree
    if not isinstance(value, str | Mapping):
        raise tree.error(("data",), f"name a data set here, as text or as a mapping with the key 'name', not {value!r}")
    name = value if isinstance(value, str) else value.get("name")
    known = None
    if isinstance(name, str):
        known = defined_name(substitute_name(name, scale), document)
        if known is None:
            at = ("data",) if isinstance(value, str) else ("data", "name")
            refuse_unknown_set(name, tree, at, document.data.get("datasets") or ())
    inside = ("datasets", known)
    defined = {("data", *at[2:]): origin for at, origin in document.origins.items() if at[:2] == inside and at[2:]}
    return Tree({**tree.data, "data": data_set(value, document, scale)}, {**defined, **tree.origins})


def _evaluation(
    label: str,
    at: KeyPath,
    tree: Tree,
    document: Tree,
    scale: Scale,
    overrides: Tree,
    shared: tuple[str, Tree],
) -> tuple[EvaluationConfig, Tree]:
    """``linear/ucf101/1`` with the options that ``evaluation: {linear: {...}}`` gives the protocol, and these options.

    ``evaluation: {few_labels: {protocol: finetune, ...}}`` gives a protocol a second name: its options are those under
    the protocol's own name, overridden by these.
    """
    named, _, set_name = label.partition("/")
    protocol = evaluated_protocol(label, at, document)
    substitute = substitute_name(set_name, scale)
    if shared[0] == substitute:
        data = choose(Slot("data set"), shared[1].data["data"], shared[1], ("data",))
    else:
        known = defined_name(substitute, document)
        if known is None:
            refuse_unknown_set(substitute, document, at, document.data.get("datasets") or ())
        inside = ("datasets", known or "")
        data = choose(
            Slot("data set"),
            data_set(substitute, document, AS_WRITTEN),
            document,
            inside if inside in document.origins else at,
        )
    if find("protocol", protocol).boxes:
        if not data.component.boxes:
            raise document.error(at, f"{label!r} needs frames with boxes of people, and this data set has none")
    elif not data.labelled:
        said = "its people have boxes, which detection reads" if data.component.boxes else "it is only to pretrain on"
        raise document.error(at, f"{label!r} needs labels, and this data set has none: {said}")
    chosen, options = _protocol(named, protocol, tree, scale, overrides)
    evaluation = EvaluationConfig(label=f"{named}/{substitute}", protocol=chosen, data=data)
    return with_root_name(evaluation, root_name(substitute, document, AS_WRITTEN)), options


def evaluated_protocol(label: str, at: KeyPath, document: Tree) -> str:
    """The protocol of ``linear/ucf101/1``, which may be written under a second name.

    Raises:
        ConfigError: there is none.
    """
    named, slash, _ = label.partition("/")
    if not slash:
        raise document.error(at, f"{label!r}: write PROTOCOL/DATASET, for instance linear/ucf101")
    aliases = aliases_of(document)
    protocol = aliases.get(named, named)
    try:
        find("protocol", protocol)
    except ConfigError as error:
        near = suggestion(named, aliases)
        raise document.error(at, f"unknown protocol {named!r}{near}" if near else str(error)) from error
    return protocol


def _protocol(named: str, protocol: str, tree: Tree, scale: Scale, overrides: Tree) -> tuple[Chosen, Tree]:
    """The protocol with its options, scaled and overridden, and where they come from."""
    slot, at = Slot("protocol", component=protocol), ("evaluation", named)
    options = _options(named, protocol, tree)
    chosen = choose(slot, options.data["evaluation"][named], options, at)
    change = _options(named, protocol, overrides)
    if scale.multiply or change.data["evaluation"][named]:
        data, origins = {"evaluation": {named: resolved(chosen.options)}}, dict(options.origins)
        multiply(data, scale.for_alias(protocol, named), origins)
        options = merge(Tree(data, origins), change)
        chosen = choose(slot, options.data["evaluation"][named], options, at)
    return chosen, options


def _options(named: str, protocol: str, tree: Tree) -> Tree:
    """The options of an evaluation: those of its protocol, overridden by those of its own name."""
    result = Tree({"evaluation": {named: {"protocol": protocol}}})
    for name in dict.fromkeys((protocol, named)):
        inside = ("evaluation", name)
        origins: dict[KeyPath, Origin] = {
            ("evaluation", named, *at[2:]): origin for at, origin in tree.origins.items() if at[:2] == inside
        }
        options = dict(get(tree.data, inside) or {})
        result = merge(result, Tree({"evaluation": {named: {**options, "protocol": protocol}}}, origins))
    del result.data["evaluation"][named]["protocol"]
    return result
