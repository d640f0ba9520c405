"""How faithful recipes are to their papers: each setting as printed, as released, inferred, ours, or absent.

Settings are those of `raysl.published` (``settings.yaml``), each looked up in the resolved recipe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from raysl.config.cell import Slot
from raysl.config.document import CELL_KEYS, load_document
from raysl.config.identity import resolved
from raysl.config.load import resolve_cell
from raysl.config.resolve import choose
from raysl.config.yaml_reader import Origin, Tree
from raysl.errors import ConfigError
from raysl.published import Setting, recipe_settings, setting_recipes, setting_variants
from raysl.published.settings import ABSENT, same, value_at

State = Literal["printed", "code", "inferred", "ours", "elsewhere", "absent"]
STATES: tuple[State, ...] = ("printed", "code", "inferred", "ours", "elsewhere", "absent")
FOLDER = "recipes"
"""Folder of the recipes, below that of the studies."""


@dataclass(frozen=True)
class Standing:
    """A setting and its state in the recipe.

    Attributes:
        state: the setting's mark if the recipe has its value; ``elsewhere`` if a study has it; ``absent`` if no option
            has it.
    """

    setting: Setting
    state: State


@dataclass(frozen=True)
class RecipeFidelity:
    """The fidelity of one recipe.

    Attributes:
        recipe: its name.
        standings: of all its settings.
        variants: names of recipes that extend it.
    """

    recipe: str
    standings: tuple[Standing, ...]
    variants: tuple[str, ...]

    def of(self, state: State) -> tuple[Setting, ...]:
        """The settings in this state."""
        return tuple(standing.setting for standing in self.standings if standing.state == state)

    @property
    def printed_otherwise(self) -> tuple[Setting, ...]:
        """The settings that the recipe has but the paper prints differently."""
        return tuple(standing.setting for standing in self.standings if standing.setting.printed is not None)


def fidelity(folder: Path) -> tuple[RecipeFidelity, ...]:
    """The fidelity of the recipe of every paper, in order.

    Args:
        folder: ``search_spaces``, whose ``recipes/NAME.yaml`` are read.

    Raises:
        ConfigError: a recipe, or a variant of one, that is not there or has a value that its settings do not name.
    """
    found = []
    for recipe in setting_recipes():
        variants = tuple(name for name, variant in setting_variants().items() if variant.of == recipe)
        standings = {name: _standings(folder / FOLDER / f"{name}.yaml", name) for name in (recipe, *variants)}
        found.append(RecipeFidelity(recipe, standings[recipe], variants))
    return tuple(found)


def resolved_recipe(path: Path) -> dict[str, Any]:
    """The configuration of a recipe's cell with every default, and its evaluations under ``evaluation``, by name.

    Raises:
        ConfigError: the file is not there, or not a recipe.
    """
    if not path.is_file():
        raise ConfigError(f"there is no recipe {path}, but its settings are listed in raysl/published/settings.yaml")
    document = load_document(path)
    cell = {key: value for key, value in document.data.items() if key in CELL_KEYS}
    written = document.data.get("evaluation", {})
    evaluations = {name: _resolved_evaluation(name, options) for name, options in written.items()}
    return {**resolved(resolve_cell(Tree(cell, document.origins))), "evaluation": evaluations}


def _resolved_evaluation(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    given = {key: value for key, value in options.items() if key != "protocol"}
    tree = Tree({"evaluation": {name: given}}, {(): Origin(name)})
    slot = Slot("protocol", component=options.get("protocol", name))
    return resolved(choose(slot, given, tree, ("evaluation", name)).options)


def _standings(path: Path, recipe: str) -> tuple[Standing, ...]:
    standing = partial(_standing, path, resolved_recipe(path))
    return tuple(map(standing, recipe_settings(recipe)))


def _standing(path: Path, has: Mapping[str, Any], setting: Setting) -> Standing:
    got = value_at(has, setting.path)
    if same(setting.value, got):
        return Standing(setting, setting.mark)
    if setting.elsewhere:
        return Standing(setting, "elsewhere")
    if got is ABSENT and setting.path.startswith("evaluation."):
        return Standing(setting, "absent")
    raise ConfigError(
        f"{path}: {setting.path} is {got!r}, and {setting.value!r} in raysl/published/settings.yaml "
        f"({setting.source}): correct one of them"
    )
