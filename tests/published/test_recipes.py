"""Every shipped recipe of a paper has the values that the paper's settings name."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.config.document import CELL_KEYS, load_document
from raysl.config.identity import resolved
from raysl.config.load import resolve_cell
from raysl.config.yaml_reader import Tree
from raysl.published import differences, setting_recipes

RECIPES = Path(__file__).resolve().parents[2] / "search_spaces" / "recipes"
SHIPPED = [recipe for recipe in setting_recipes() if (RECIPES / f"{recipe}.yaml").exists()]


@pytest.mark.parametrize("recipe", SHIPPED)
def test_a_recipe_is_the_papers(recipe: str) -> None:
    document = load_document(RECIPES / f"{recipe}.yaml")
    cell = {key: value for key, value in document.data.items() if key in CELL_KEYS}
    assert differences(recipe, resolved(resolve_cell(Tree(cell, document.origins)))) == []


def test_there_is_a_recipe() -> None:
    assert SHIPPED
