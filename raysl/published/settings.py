"""Every setting of the papers' recipes with the origin of its value, read from ``settings.yaml``.

Also: the differences of a resolved configuration from them.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from raysl.config.cell import CellConfig
from raysl.config.suggest import nearest
from raysl.config.yaml_reader import Tree, read_tree
from raysl.errors import ConfigError
from raysl.published.records import STRICT, Value

FILE = Path(__file__).parent / "settings.yaml"
CELL_KEYS = tuple(CellConfig.model_fields)


class _Absent:
    """The value of a path that a configuration does not have; equal to nothing, not even null."""

    def __repr__(self) -> str:
        return "absent"


ABSENT = _Absent()


@dataclass(frozen=True)
class Setting:
    """One value of a recipe.

    Attributes:
        path: dotted key of a configuration, or ``evaluation.PROTOCOL.key`` (``evaluation.PROTOCOL/DATASET.key`` for a
            value of one data set).
        mark: printed in the paper, read in its code, inferred from the two, or ours if neither has it.
        source: the place in the paper or its code.
        note: if text and code differ: the value of the other.
        printed: what the paper prints, if the recipe deliberately has something else; else None.
        elsewhere: the study that has the value, if the recipe cannot; or why no configuration has it.
    """

    __pydantic_config__ = STRICT
    path: str
    value: Value | tuple[Value, ...]
    mark: Literal["printed", "code", "inferred", "ours"]
    source: str
    note: str = ""
    printed: Value | tuple[Value, ...] = None
    elsewhere: str = ""


@dataclass(frozen=True)
class Variant:
    """A recipe that changes some settings of another one: the released code's, or a correction of the printed ones.

    Attributes:
        of: the recipe that it extends.
        settings: those that it changes or adds.
        without: paths of the other recipe that it lacks.
    """

    __pydantic_config__ = STRICT
    of: str
    settings: tuple[Setting, ...]
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settings:
    """All recipes.

    Attributes:
        recipes: of the papers, by name, with all their settings.
        variants: by name.
    """

    __pydantic_config__ = STRICT
    recipes: dict[str, tuple[Setting, ...]]
    variants: dict[str, Variant] = field(default_factory=dict)

    def of(self, recipe: str) -> tuple[Setting, ...]:
        """All settings of a recipe, or of a variant, including those that it does not change."""
        if recipe in self.recipes:
            return self.recipes[recipe]
        variant = self.variants[recipe]
        changed = {setting.path for setting in variant.settings} | set(variant.without)
        return (*(setting for setting in self.recipes[variant.of] if setting.path not in changed), *variant.settings)


def setting_recipes() -> tuple[str, ...]:
    """The papers' recipes whose settings are known: ``taco``, ``tclr``, ``sstl``, ``cstp``, ``cvrl``."""
    return tuple(_everything().recipes)


def setting_variants() -> dict[str, Variant]:
    """Their variants by name: ``tclr_released``, ``cstp_released``, ``cvrl_released``, ``taco_amended``, ..."""
    return _everything().variants


def recipe_settings(recipe: str) -> tuple[Setting, ...]:
    """All settings of a recipe, or of a variant.

    Raises:
        ConfigError: no such recipe; the nearest is suggested.
    """
    known = (*setting_recipes(), *setting_variants())
    if recipe not in known:
        raise ConfigError(f"no settings are known of the recipe {recipe!r}{nearest(recipe, known)}")
    return _everything().of(recipe)


def differences(recipe: str, cell: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Path, published value and the configuration's value, for each that differs; settings of evaluations are left out.

    Args:
        recipe: e.g. ``cvrl``.
        cell: a configuration after `raysl.config.identity.resolved`.

    Raises:
        ConfigError: no such recipe.
    """
    found = []
    for setting in recipe_settings(recipe):
        if setting.path.split(".")[0] in CELL_KEYS:
            got = value_at(cell, setting.path)
            if not same(setting.value, got):
                found.append((setting.path, setting.value, got))
    return found


def read(path: Path) -> Settings:
    """Reads and checks a file of settings.

    Raises:
        ConfigError: an unknown or missing key, an unknown mark, a path that is repeated in a recipe or that is of no
            configuration or evaluation; a variant of no recipe, of a recipe's name, that repeats a value of its recipe
            or leaves out what that does not have.
    """
    tree = read_tree(path, path.name)
    try:
        settings = TypeAdapter(Settings).validate_json(json.dumps(tree.data))
    except ValidationError as error:
        problem = error.errors()[0]
        where = tuple(str(part) for part in problem["loc"])
        raise tree.error(where, f"{problem['msg']}, not {problem['input']!r}") from error
    for recipe, listed in settings.recipes.items():
        _check_paths(tree, ("recipes", recipe), listed)
    for name, variant in settings.variants.items():
        _check_variant(tree, name, variant, settings.recipes)
    return settings


def _check_paths(tree: Tree, at: tuple[str, ...], settings: tuple[Setting, ...]) -> None:
    seen: set[str] = set()
    for position, setting in enumerate(settings):
        here = (*at, str(position), "path")
        if setting.path in seen:
            raise tree.error(here, f"{setting.path} is repeated")
        if setting.path.split(".")[0] not in (*CELL_KEYS, "evaluation"):
            raise tree.error(here, f"{setting.path} is of no configuration{nearest(setting.path, CELL_KEYS)}")
        seen.add(setting.path)


def _check_variant(tree: Tree, name: str, variant: Variant, recipes: Mapping[str, tuple[Setting, ...]]) -> None:
    at = ("variants", name)
    if name in recipes:
        raise tree.error(at, f"{name} is a recipe already")
    if variant.of not in recipes:
        raise tree.error((*at, "of"), f"there is no recipe {variant.of}{nearest(variant.of, recipes)}")
    _check_paths(tree, (*at, "settings"), variant.settings)
    base = {setting.path: setting for setting in recipes[variant.of]}
    for position, setting in enumerate(variant.settings):
        if setting.path in base and same(base[setting.path].value, setting.value):
            raise tree.error((*at, "settings", str(position)), f"{setting.path} is as in {variant.of}")
    for position, path in enumerate(variant.without):
        if path not in base:
            raise tree.error((*at, "without", str(position)), f"{path} is not in {variant.of}{nearest(path, base)}")


@functools.cache
def _everything() -> Settings:
    return read(FILE)


def value_at(cell: Mapping[str, Any], path: str) -> Any:
    """The value of a resolved configuration at a dotted path; `ABSENT` if it has none."""
    value: Any = cell
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return ABSENT
        value = value[part]
    return value


def same(expected: Any, got: Any) -> bool:
    """Equality, except that true is not 1, a list equals a tuple, and a component equals its name."""
    if isinstance(got, Mapping) and isinstance(expected, str):
        return next(iter(got.values()), None) == expected  # `resolved` puts a component's name first
    if isinstance(expected, tuple) and isinstance(got, list | tuple):
        return len(expected) == len(got) and all(map(same, expected, got))
    return isinstance(expected, bool) == isinstance(got, bool) and bool(expected == got)
