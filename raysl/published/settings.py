"""Every setting of the papers' recipes with where its value comes from, read from ``settings.yaml``.

And where a resolved configuration says otherwise.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from raysl.config.cell import CellConfig
from raysl.config.suggest import nearest
from raysl.config.yaml_reader import read_tree
from raysl.errors import ConfigError
from raysl.published.records import STRICT, Value

FILE = Path(__file__).parent / "settings.yaml"
CELL_KEYS = tuple(CellConfig.model_fields)


class _Absent:
    """Stands for a path that a configuration does not have; equal to nothing, null included."""

    def __repr__(self) -> str:
        return "absent"


ABSENT = _Absent()


@dataclass(frozen=True)
class Setting:
    """One value of a recipe.

    Attributes:
        path: dotted key of a configuration, or ``evaluation.PROTOCOL.key`` (``evaluation.PROTOCOL/DATASET.key`` where
            the value is for one data set alone).
        mark: printed in the paper, read in its code, inferred from the two, or ours where both are silent.
        source: the place in the paper or its code.
        note: where text and code differ: what the other says.
    """

    __pydantic_config__ = STRICT
    path: str
    value: Value | tuple[Value, ...]
    mark: Literal["printed", "code", "inferred", "ours"]
    source: str
    note: str = ""


def setting_recipes() -> tuple[str, ...]:
    """The recipes whose settings are known: ``taco``, ``tclr``, ``sstl``, ``cstp``, ``cvrl``."""
    return tuple(_everything())


def recipe_settings(recipe: str) -> tuple[Setting, ...]:
    """All settings of a recipe.

    Raises:
        ConfigError: no such recipe; the nearest is suggested.
    """
    if recipe not in _everything():
        raise ConfigError(f"no settings are known of the recipe {recipe!r}{nearest(recipe, _everything())}")
    return _everything()[recipe]


def differences(recipe: str, cell: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Path, published value and the configuration's own, wherever they differ; settings of evaluations are left out.

    Args:
        recipe: e.g. ``cvrl``.
        cell: what `raysl.config.identity.resolved` makes of a configuration.

    Raises:
        ConfigError: no such recipe.
    """
    found = []
    for setting in recipe_settings(recipe):
        if setting.path.split(".")[0] in CELL_KEYS:
            got = _value(cell, setting.path)
            if not _same(setting.value, got):
                found.append((setting.path, setting.value, got))
    return found


def read(path: Path) -> dict[str, tuple[Setting, ...]]:
    """Reads and checks a file of settings.

    Raises:
        ConfigError: an unknown or missing key, an unknown mark, a path that stands twice in a recipe or that is of no
            configuration or evaluation.
    """
    tree = read_tree(path, path.name)
    try:
        recipes = TypeAdapter(dict[str, tuple[Setting, ...]]).validate_json(json.dumps(tree.data.get("recipes", {})))
    except ValidationError as error:
        problem = error.errors()[0]
        where = ("recipes", *(str(part) for part in problem["loc"]))
        raise tree.error(where, f"{problem['msg']}, not {problem['input']!r}") from error
    for recipe, settings in recipes.items():
        seen: set[str] = set()
        for position, setting in enumerate(settings):
            at = ("recipes", recipe, str(position), "path")
            if setting.path in seen:
                raise tree.error(at, f"{setting.path} stands twice")
            if setting.path.split(".")[0] not in (*CELL_KEYS, "evaluation"):
                raise tree.error(at, f"{setting.path} is of no configuration{nearest(setting.path, CELL_KEYS)}")
            seen.add(setting.path)
    return recipes


@functools.cache
def _everything() -> dict[str, tuple[Setting, ...]]:
    return read(FILE)


def _value(cell: Mapping[str, Any], path: str) -> Any:
    value: Any = cell
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return ABSENT
        value = value[part]
    return value


def _same(expected: Any, got: Any) -> bool:
    """Equality in which true is not 1, a list is a tuple, and a component is its name."""
    if isinstance(got, Mapping) and isinstance(expected, str):
        return next(iter(got.values()), None) == expected  # `resolved` puts a component's name first
    if isinstance(expected, tuple) and isinstance(got, list | tuple):
        return len(expected) == len(got) and all(map(_same, expected, got))
    return isinstance(expected, bool) == isinstance(got, bool) and bool(expected == got)
