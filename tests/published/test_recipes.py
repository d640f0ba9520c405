"""Every shipped recipe of a paper has the values that the paper's settings name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from raysl.config.document import load_document
from raysl.config.identity import resolved
from raysl.planning.fidelity import resolved_recipe
from raysl.planning.study import load_study
from raysl.published import differences, recipe_settings, setting_recipes, setting_variants
from raysl.published.settings import ABSENT, same, value_at

RECIPES = Path(__file__).resolve().parents[2] / "search_spaces" / "recipes"
SHIPPED = [*setting_recipes(), *setting_variants()]


@cache
def recipe_of(name: str) -> dict[str, Any]:
    """Not to be changed."""
    return resolved_recipe(RECIPES / f"{name}.yaml")


def leaves(tree: Mapping[str, Any], *above: str) -> Iterator[str]:
    """The dotted paths of what a recipe writes; a component's name stands at its chooser."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from leaves(value, *above, key)
        else:
            yield ".".join((*above, key))


@pytest.mark.parametrize("recipe", SHIPPED)
def test_a_recipe_is_the_papers(recipe: str) -> None:
    assert differences(recipe, recipe_of(recipe)) == []


@pytest.mark.parametrize("recipe", SHIPPED)
def test_its_evaluations_have_every_value_that_is_known(recipe: str) -> None:
    """Where a recipe cannot have a printed value, the settings name the study that has it; `NO_OPTION` has the rest."""
    found, compared, absent = recipe_of(recipe), set[str](), set[str]()
    for setting in recipe_settings(recipe):
        if not setting.path.startswith("evaluation."):
            continue
        got = value_at(found, setting.path)
        if setting.elsewhere:
            assert not same(setting.value, got), f"{setting.path} is in the recipe: it stands nowhere else"
        elif got is ABSENT and setting.mark == "printed":
            absent.add(setting.path)
        elif got is not ABSENT or setting.mark == "printed":
            assert same(setting.value, got), f"{setting.path}: {setting.value} ({setting.mark}), here {got}"
            compared.add(setting.path)
    assert absent == NO_OPTION.get(recipe.removesuffix("_amended"), set())
    assert {"evaluation.finetune.epochs", "evaluation.finetune.optimizer.learning_rate.value"} <= compared


NO_OPTION: dict[str, set[str]] = {}
"""Printed settings of evaluations that no option can say."""


def test_what_is_elsewhere_is_in_a_study_of_that_name_or_said_in_words() -> None:
    named = {setting.elsewhere for recipe in SHIPPED for setting in recipe_settings(recipe) if setting.elsewhere}
    studies = {name for name in named if " " not in name}
    assert studies == {"cvrl/table3_semi_supervised", "tclr/table7_limited_labels"}
    assert all((RECIPES.parent / f"{name}.yaml").exists() for name in studies)


@pytest.mark.parametrize("variant", setting_variants())
def test_a_variant_differs_from_its_recipe_where_its_settings_say(variant: str) -> None:
    """So that nothing of the released code or of an amendment is in a recipe without a source."""
    listed = setting_variants()[variant]
    of_cells = {
        setting.path: setting.value for setting in listed.settings if not setting.path.startswith("evaluation.")
    }
    found = {path: got for path, _, got in differences(listed.of, recipe_of(variant))}
    assert set(found) <= set(of_cells) | set(listed.without)
    assert {path for path, got in found.items() if got is ABSENT} == set(listed.without)
    known = {setting.path for setting in recipe_settings(listed.of)}
    assert {path for path in of_cells if path in known} == set(found) - set(listed.without)


@pytest.mark.parametrize(
    ("study", "row", "recipe"),
    [
        ("cstp/variants", "code", "cstp_released"),
        ("cvrl/variants", "code", "cvrl_released"),
        ("sstl/variants", "amended", "sstl_amended"),
    ],
)
def test_a_study_of_variants_trains_the_recipes_cell(study: str, row: str, recipe: str) -> None:
    """For as long as the study says."""
    (found,) = [cell.cell for cell in load_study(RECIPES.parent / f"{study}.yaml").rows if cell.name == row]
    expected = {key: value for key, value in recipe_of(recipe).items() if key != "evaluation"}
    expected["training"] = {**expected["training"], "epochs": found.training.epochs}
    assert resolved(found) == expected


@pytest.mark.parametrize("recipe", setting_recipes())
def test_all_that_a_recipe_writes_has_a_mark_and_a_source(recipe: str) -> None:
    """But for what no paper has: raysl's own probe, and the tasks of pretraining as evaluations."""
    known = {setting.path for setting in recipe_settings(recipe)}
    ours = ("pretraining", "backbone.width", "evaluation.linear.", "evaluation.to_")
    written = {key: value for key, value in load_document(RECIPES / f"{recipe}.yaml").data.items() if key != "scales"}
    for path in leaves(written):
        above, _, last = path.rpartition(".")
        named = last in ("name", "framework") and above in known
        assert path in known or named or last == "protocol" or path.startswith(ours), path


def test_every_recipe_of_a_paper_is_known() -> None:
    assert {file.stem for file in RECIPES.glob("*.yaml")} == {*SHIPPED, "simclr"}
