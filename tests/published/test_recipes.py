"""Every shipped recipe of a paper has the values that the paper's settings name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from raysl.config.document import CELL_KEYS, load_document
from raysl.config.identity import resolved
from raysl.config.load import resolve_cell
from raysl.config.tree import get
from raysl.config.yaml_reader import Tree
from raysl.published import differences, recipe_settings, setting_recipes
from raysl.published.settings import ABSENT

RECIPES = Path(__file__).resolve().parents[2] / "search_spaces" / "recipes"
SHIPPED = [recipe for recipe in setting_recipes() if (RECIPES / f"{recipe}.yaml").exists()]


def resolved_recipe(name: str) -> dict[str, Any]:
    document = load_document(RECIPES / f"{name}.yaml")
    cell = {key: value for key, value in document.data.items() if key in CELL_KEYS}
    return resolved(resolve_cell(Tree(cell, document.origins)))


@pytest.mark.parametrize("recipe", SHIPPED)
def test_a_recipe_is_the_papers(recipe: str) -> None:
    assert differences(recipe, resolved_recipe(recipe)) == []


@pytest.mark.parametrize("recipe", SHIPPED)
def test_its_fine_tuning_has_the_papers_numbers(recipe: str) -> None:
    """Of the settings that `finetune` has an option for, where the recipe sets them and they are for every data set."""
    written = load_document(RECIPES / f"{recipe}.yaml").data["evaluation"]["finetune"]
    compared = []
    for setting in recipe_settings(recipe):
        if setting.path.startswith("evaluation.finetune."):
            got = get(written, tuple(setting.path.split(".")[2:]))
            if isinstance(got, int | float | str | list):
                value = list(setting.value) if isinstance(setting.value, tuple) else setting.value
                assert got == value, setting.path
                compared.append(setting.path)
    assert {"evaluation.finetune.epochs", "evaluation.finetune.optimizer.learning_rate.value"} <= set(compared)


def test_the_released_tclr_differs_from_the_papers_where_its_code_does() -> None:
    found = {path: got for path, _, got in differences("tclr", resolved_recipe("tclr_released"))}
    assert found == {
        "sampling.pair.name": ABSENT,
        "objective.contrastive.framework": "tclr_released",
        "objective.contrastive.symmetric": ABSENT,
        "objective.contrastive.positive_in_denominator": ABSENT,
        "objective.local_local.variant": "released",
        "objective.global_local.variant": "released",
        "objective.projector.batch_norm": "all",
        "schedule.warmup_epochs": 5.0,
        "training.epochs": 1000,
    }


def test_there_are_recipes() -> None:
    assert {"cvrl", "tclr", "sstl", "cstp"} <= set(SHIPPED)
