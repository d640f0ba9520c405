"""Data sets under a study's own names (``datasets:``): what such a name means, and which root it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from raysl.config.cell import CellConfig
from raysl.config.component import names
from raysl.config.evaluation import EvaluationConfig
from raysl.config.scale import Scale, substitute_name
from raysl.config.yaml_reader import Tree
from raysl.data.places import root_key

AnyConfig = TypeVar("AnyConfig", CellConfig, EvaluationConfig)


def names_set(value: Any) -> bool:
    """Whether ``data:`` names a data set, instead of only changing options of the one below."""
    return isinstance(value, str) or (isinstance(value, Mapping) and isinstance(value.get("name"), str))


def defined_name(name: str, document: Tree) -> str | None:
    """The name under ``datasets:`` that ``mine`` or ``mine/3`` refers to; None if the study defines none."""
    defined = document.data.get("datasets") or {}
    return next((known for known in (name, name.partition("/")[0]) if known in defined), None)


def definition(known: str, name: str, document: Tree) -> dict[str, Any]:
    """The data set, with its options, that ``datasets:`` defines for a name.

    Args:
        known: as `defined_name` found it.
        name: the same, or with a variant: ``mine/3`` is ``folder/3`` with the options of ``mine: {name: folder}``.

    Raises:
        ConfigError: the definition names no data set.
    """
    written = document.data["datasets"][known]
    if not names_set(written):
        raise document.error(("datasets", known), "name a data set here, as text or as a mapping with the key 'name'")
    options = {"name": written} if isinstance(written, str) else dict(written)
    return {**options, "name": options["name"] + name.removeprefix(known)}


def root_name(value: Any, document: Tree, scale: Scale) -> str | None:
    """The name under ``datasets:`` that ``data: value`` refers to, to which its root is bound; None: its reader's."""
    if not names_set(value):
        return None
    name = value if isinstance(value, str) else value["name"]
    return defined_name(substitute_name(name, scale), document)


def with_root_name(config: AnyConfig, name: str | None) -> AnyConfig:
    """A cell or an evaluation with its data set's root bound to this name; None: to its reader's."""
    return config.model_copy(update={"data": replace(config.data, root_name=name)})


def check_names(document: Tree) -> None:
    """Refuses names under ``datasets:`` with an ambiguous data set or root.

    Raises:
        ConfigError: a name is that of a reader, and its definition uses another; two names are one to ``--root``.
    """
    readers = {root_key(reader): reader for reader in names("data set")}
    written: dict[str, str] = {}
    for name in document.data.get("datasets") or {}:
        twin = written.setdefault(root_key(name), name)
        if twin != name:
            message = f"{twin!r} and {name!r} are one name to --root: case, dots and dashes do not matter; rename one"
            raise document.error(("datasets", name), message)
        used = definition(name, name, document)["name"].partition("/")[0]
        reader = readers.get(root_key(name))
        if reader not in (None, used):
            message = (
                f"{reader} is the name of a reader, and this data set is read by {used}: --root {name}=PATH and a "
                f"column {name} would be ambiguous; give it another name"
            )
            raise document.error(("datasets", name), message)
