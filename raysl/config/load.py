"""Reading one resolved cell, as `raysl plan --show-cell` prints it and as the store keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from raysl.config.cell import CellConfig, Slot, chosen_terms
from raysl.config.component import Chosen, check_together, find, names
from raysl.config.evaluation import EvaluationConfig
from raysl.config.resolve import check_choice, check_options, resolve
from raysl.config.suggest import nearest
from raysl.config.tree import get
from raysl.config.yaml_reader import KeyPath, Origin, Tree, read_tree
from raysl.errors import ConfigError


def load_cell(path: Path) -> CellConfig:
    """A cell from a YAML file.

    Raises:
        ConfigError: naming file, line and key.
    """
    tree = read_tree(path)
    cell = resolve_cell(tree)
    if cell.init is not None and not isinstance(getattr(cell.init, "from"), CellConfig):
        raise tree.error(
            ("init", "from"), "only a study has rows to start from: give the whole configuration of a cell here"
        )
    return cell


def resolve_cell(tree: Tree) -> CellConfig:
    """Validates a tree as a cell, and lets each component refuse combinations."""
    cell = resolve(CellConfig, _without_none(tree))
    for path, chosen in _parts(cell).items():
        if chosen.component.check is not None:
            with _refused(tree, path):
                chosen.component.check(chosen.options, cell)
    if cell.pretraining == "supervised" and cell.supervised.target == "boxes":
        if not cell.data.component.boxes:
            raise tree.misfit(("data",), "supervised.target: boxes needs people's boxes, and this data set has none")
    elif cell.pretraining == "supervised" and not cell.data.labelled:
        raise tree.misfit(("data",), "labels are needed for pretraining: supervised, and this data set has none")
    if cell.objective.pretext:
        with _refused(tree, ("objective", "pretext")):
            check_together("pretext task", cell)
    if cell.pretraining == "self_supervised":
        if cell.sampling.pair is None and cell.sampling.windows is None:
            raise tree.error(("sampling", "pair"), "this key is required and missing")
        if not chosen_terms(cell.objective):
            raise tree.error(
                ("objective",), "has no term: nothing would be learned (or set pretraining: supervised, or none)"
            )
    return cell


@contextmanager
def _refused(tree: Tree, path: KeyPath) -> Iterator[None]:
    """Adds file and line to a component's error about a combination."""
    try:
        yield
    except ConfigError as error:
        raise tree.misfit(path, str(error)) from error


def _parts(cell: CellConfig) -> dict[KeyPath, Chosen]:
    """The components in use, by their path."""
    parts: dict[KeyPath, Chosen] = {
        (name,): getattr(cell, name) for name in ("data", "augment", "backbone", "optimizer", "schedule")
    }
    if cell.pretraining != "supervised":
        pair, windows, objective = cell.sampling.pair, cell.sampling.windows, cell.objective
        parts |= {("sampling", "pair"): pair} if pair is not None else {}
        parts |= {("sampling", "windows"): windows} if windows is not None else {}
        terms = {name: term for name, term in chosen_terms(objective).items() if name not in objective.pretext}
        parts |= {("objective", name): term for name, term in terms.items()}
        parts |= {("objective", "pretext", name): task for name, task in objective.pretext.items()}
    return parts


def check_written(document: Tree) -> None:
    """Checks every option that a study or recipe writes, including those of data sets and protocols, used or not.

    Raises:
        ConfigError: an unknown key, a value of the wrong type or out of bounds, an unknown component.
    """
    tree = _without_none(document)
    sections = {key: value for key, value in tree.data.items() if key in CellConfig.model_fields and key != "data"}
    check_options(CellConfig, tree, (), sections)
    defined = _mapping(document, "datasets")
    for name, value in defined.items():
        check_choice(Slot("data set"), value, document, ("datasets", name))
    data = document.data.get("data")
    chosen = data.get("name") if isinstance(data, Mapping) else data
    if isinstance(chosen, str) and chosen not in defined and chosen.partition("/")[0] not in defined:
        refuse_unknown_set(chosen, document, ("data",), defined)
        check_choice(Slot("data set"), data, document, ("data",))
    for name, options in _mapping(document, "evaluation").items():
        check_protocol(document, name, options)


def refuse_unknown_set(name: str, tree: Tree, at: KeyPath, defined: Iterable[str]) -> None:
    """Refuses a data set that is neither a reader's nor one of those that a study defines.

    Args:
        defined: the study's own names, of which one may have been meant.

    Raises:
        ConfigError: naming file, line and key.
    """
    reader = name.partition("/")[0]
    known = {*names("data set"), *defined}
    if "." not in name and reader not in known:
        raise tree.error(at, f"unknown data set {name!r}{nearest(reader, known)}")


def _mapping(document: Tree, key: str) -> Mapping[str, Any]:
    value = document.data.get(key)
    if value is not None and not isinstance(value, Mapping):
        raise document.error((key,), f"a mapping of names is expected, not {value!r}")
    return value or {}


def check_protocol(tree: Tree, name: str, options: Any) -> None:
    """Checks ``evaluation: {NAME: options}``, whether or not it is used.

    Raises:
        ConfigError: no protocol has this name, and ``protocol:`` names none either; an option that it does not have.
    """
    at = ("evaluation", name)
    given = {} if options is None else options
    if not isinstance(given, Mapping):
        raise tree.error(at, f"a mapping of a protocol's options is expected, not {given!r}")
    protocol = given.get("protocol", name)
    if not isinstance(protocol, str):
        raise tree.error((*at, "protocol"), f"the name of a protocol is expected, not {protocol!r}")
    try:
        component = find("protocol", protocol)
    except ConfigError as error:
        check_choice(Slot("protocol", key="protocol"), given, tree, at)
        where = (*at, "protocol") if "protocol" in given else at
        aside = "" if "protocol" in given else "; a second name of a protocol needs the protocol: {protocol: NAME, ...}"
        raise tree.error(where, f"{error}{aside}") from error
    if protocol != name and name in names("protocol"):
        message = f"is the name of a protocol, so {protocol} needs another second name"
        raise tree.error((*at, "protocol"), message)
    check_options(component.options, tree, at, {key: value for key, value in given.items() if key != "protocol"})


def advice(cell: CellConfig) -> list[str]:
    """Remarks of its components about an allowed cell that may not be what the user wants, each once."""
    said = [
        chosen.component.advise(chosen.options, cell)
        for chosen in (_parts(cell).values() if cell.pretraining == "self_supervised" else [])
        if chosen.component.advise is not None
    ]
    return list(dict.fromkeys(one for one in said if one is not None))


def _without_none(tree: Tree) -> Tree:
    """``objective.contrastive: {framework: none}`` as null, so that an axis over frameworks may hold none of them."""
    place = ("objective", "contrastive")
    contrastive = get(tree.data, place)
    named = contrastive.get("framework") if isinstance(contrastive, Mapping) else contrastive
    if named != "none":
        return tree
    if isinstance(contrastive, Mapping) and len(contrastive) > 1:
        others = sorted(key for key in contrastive if key != "framework")
        raise tree.error((*place, others[0]), "has no effect if the framework is none; remove it")
    return Tree({**tree.data, "objective": {**tree.data["objective"], "contrastive": None}}, tree.origins)


def cell_from(data: dict[str, Any], source: str) -> CellConfig:
    """A cell from plain data (what `resolved` made); ``source`` names it in messages."""
    return resolve_cell(Tree(data, {(): Origin(source)}))


def evaluation_from(data: dict[str, Any], source: str) -> EvaluationConfig:
    """An evaluation from plain data (what `resolved` made)."""
    return resolve(EvaluationConfig, Tree(data, {(): Origin(source)}))
