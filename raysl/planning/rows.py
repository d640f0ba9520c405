"""One row of a study, resolved: base, scale, row and overrides laid over one another in that order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from raysl.config.cell import CellConfig
from raysl.config.document import CELL_KEYS
from raysl.config.evaluation import EvaluationConfig
from raysl.config.identity import cell_id, evaluation_id, resolved
from raysl.config.load import resolve_cell
from raysl.config.resolve import resolve
from raysl.config.scale import AS_WRITTEN, Scale, multiply, substitute_name
from raysl.config.suggest import nearest
from raysl.config.tree import expand, merge
from raysl.config.yaml_reader import KeyPath, Tree
from raysl.data.places import source_name
from raysl.errors import ConfigError
from raysl.planning.data_sets import defined_name, definition, names_set, root_name, with_root_name

ROW_KEYS = (*CELL_KEYS, "evaluation")


@dataclass(frozen=True)
class Row:
    """One line of a table: what is trained (seed still open), and what is measured on it."""

    name: str
    cell: CellConfig
    evaluations: tuple[EvaluationConfig, ...]

    @property
    def identity(self) -> tuple[str, ...]:
        """Two rows with equal identities are the same computation."""
        sets = [evaluation.data for evaluation in self.evaluations]
        if self.cell.pretraining != "none":
            sets.insert(0, self.cell.data)
        ids = (cell_id(self.cell), *(evaluation_id(evaluation) for evaluation in self.evaluations))
        return (*ids, *(source_name(data) for data in sets))


def resolve_row(document: Tree, name: str, scale: Scale, overrides: Tree) -> Row:
    """Resolves one row of a document (which has ``rows`` and ``evaluations``).

    Raises:
        ConfigError: naming file, line and key.
    """
    change = document.data["rows"][name] or {}
    at: KeyPath = ("rows", name)
    if not isinstance(change, Mapping):
        raise document.error(at, f"a mapping of what the row changes is expected, not {change!r}")
    for key in change:
        if key.split(".")[0] not in ROW_KEYS:
            raise document.error((*at, key), f"unknown row key{nearest(key.split('.')[0], ROW_KEYS)}")
    base = Tree({key: value for key, value in document.data.items() if key in ROW_KEYS}, dict(document.origins))
    base = merge(base, expand(scale.set, {}))
    tree = merge(base, expand(change, document.origins, at))
    bound = root_name(tree.data.get("data"), document, scale)
    if "data" in tree.data:
        tree.data["data"] = data_set(tree.data["data"], document, scale)
    evaluation_options = tree.data.pop("evaluation", None) or {}
    if not isinstance(evaluation_options, Mapping):
        raise document.error(("evaluation",), "a mapping from protocol to its options is expected")
    rest = Tree({key: value for key, value in overrides.data.items() if key != "evaluation"}, overrides.origins)
    if names_set(rest.data.get("data")):
        bound = root_name(rest.data["data"], document, AS_WRITTEN)
        rest.data["data"] = data_set(rest.data["data"], document, AS_WRITTEN)
    cell = with_root_name(_scaled_cell(tree, scale, rest), bound)
    shared = _pretraining_set(base, document, scale, overrides)
    evaluations = tuple(
        _evaluation(label, evaluation_options, document, scale, overrides, shared)
        for label in document.data["evaluations"]
    )
    for evaluation in evaluations:
        _check(evaluation, cell)
    return Row(name, cell, evaluations)


def _check(evaluation: EvaluationConfig, cell: CellConfig) -> None:
    """Lets the protocol refuse a cell that it cannot be applied to."""
    protocol = evaluation.protocol
    if protocol.component.check is None:
        return
    try:
        protocol.component.check(protocol.options, cell)
    except ConfigError as error:
        raise ConfigError(f"evaluation {evaluation.label}: {error}") from error


def _pretraining_set(base: Tree, document: Tree, scale: Scale, overrides: Tree) -> tuple[str, Any]:
    """Name and options of the study's own ``data``, which an evaluation of the same name is made on.

    It is the study's and not the row's: a row that pretrains on other videos is tested on the same ones. Likewise
    ``--set data=OTHER``; options alone (``--set data.split=2``) are laid over both.
    """
    written = base.data.get("data")
    name = written if isinstance(written, str) else (written or {}).get("name", "")
    if not name:
        return "", None
    resolved_set = Tree({"data": data_set(written, document, scale)})
    change = {key: value for key, value in overrides.data.items() if key == "data" and not names_set(value)}
    return substitute_name(name, scale), merge(resolved_set, Tree(change)).data["data"]


def _scaled_cell(tree: Tree, scale: Scale, overrides: Tree) -> CellConfig:
    if not scale.multiply and not overrides.data:
        return resolve_cell(tree)
    data = resolved(resolve_cell(tree))
    multiply(data, scale)
    return resolve_cell(merge(Tree(data, tree.origins), overrides))


def data_set(value: Any, document: Tree, scale: Scale) -> Any:
    """Substitutes the scale's data set, and puts what `datasets:` says in the place of a name defined there."""
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


def _evaluation(
    label: str,
    options: Mapping[str, Any],
    document: Tree,
    scale: Scale,
    overrides: Tree,
    shared: tuple[str, Any],
) -> EvaluationConfig:
    """``linear/ucf101/1`` with the options that ``evaluation: {linear: {...}}`` gives the protocol.

    ``evaluation: {few_labels: {protocol: finetune, ...}}`` gives a protocol a second name: its options are those under
    the protocol's own name, with what is said here laid over them.
    """
    named, slash, set_name = label.partition("/")
    if not slash:
        raise document.error(("evaluations",), f"{label!r}: write PROTOCOL/DATASET, for instance linear/ucf101")
    substitute = substitute_name(set_name, scale)
    own = dict(options.get(named) or {})
    protocol = own.pop("protocol", named)
    given = own
    if isinstance(protocol, str) and protocol != named:
        given = merge(Tree(dict(options.get(protocol) or {})), Tree(own)).data
    tree = Tree(
        {
            "label": f"{named}/{substitute}",
            "protocol": {"name": protocol, **given},
            "data": shared[1] if shared[0] == substitute else data_set(substitute, document, AS_WRITTEN),
        },
        {(): document.where(("evaluations",)) or document.origins[()]},
    )
    for name in (protocol, named):
        for path, origin in document.origins.items():
            if path[:2] == ("evaluation", name):
                tree.origins[("protocol", *path[2:])] = origin
    resolved_once = {"evaluation": {protocol: resolved(resolve(EvaluationConfig, tree))["protocol"]}}
    multiply(resolved_once, scale)
    tree.data["protocol"] = {"name": protocol, **resolved_once["evaluation"][protocol]}
    change = (overrides.data.get("evaluation") or {}).get(named)
    if change:
        tree = merge(tree, Tree({"protocol": {"name": protocol, **change}}, {(): overrides.origins[()]}))
    return with_root_name(resolve(EvaluationConfig, tree), root_name(substitute, document, AS_WRITTEN))
