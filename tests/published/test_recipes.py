"""Every shipped recipe of a paper has the values that the paper's settings name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from raysl.config.cell import Slot
from raysl.config.document import CELL_KEYS, load_document
from raysl.config.identity import resolved
from raysl.config.load import resolve_cell
from raysl.config.resolve import choose
from raysl.config.yaml_reader import Origin, Tree
from raysl.published import differences, recipe_settings, setting_recipes
from raysl.published.settings import ABSENT, _same, _value

RECIPES = Path(__file__).resolve().parents[2] / "search_spaces" / "recipes"
SHIPPED = [recipe for recipe in setting_recipes() if (RECIPES / f"{recipe}.yaml").exists()]


def resolved_recipe(name: str) -> dict[str, Any]:
    document = load_document(RECIPES / f"{name}.yaml")
    cell = {key: value for key, value in document.data.items() if key in CELL_KEYS}
    return resolved(resolve_cell(Tree(cell, document.origins)))


@pytest.mark.parametrize("recipe", SHIPPED)
def test_a_recipe_is_the_papers(recipe: str) -> None:
    assert differences(recipe, resolved_recipe(recipe)) == []


ELSEWHERE = {
    ("tclr", "evaluation.finetune.label_fraction"): "the rows of tclr/table7_limited_labels",
    ("tclr", "evaluation.finetune.augment"): "in words; the recipe says which of the code's operations these are",
    ("sstl", "evaluation.retrieval.level"): "no option yet: videos are ranked, not clips",
    ("sstl", "evaluation.retrieval.features"): "no option yet: features are the backbone's",
    ("cvrl", "evaluation.finetune/kinetics400.optimizer.learning_rate.value"): "cvrl/table3_semi_supervised",
    ("cvrl", "evaluation.finetune/kinetics400.epochs"): "cvrl/table3_semi_supervised",
    ("cvrl", "evaluation.finetune/kinetics400.schedule.warmup_epochs"): "cvrl/table3_semi_supervised",
}
"""Printed settings of evaluations that are not the recipe's, and where they are."""


def resolved_evaluations(recipe: str) -> dict[str, Any]:
    """By protocol or second name: every option, with its default where the recipe says nothing."""
    written = load_document(RECIPES / f"{recipe}.yaml").data["evaluation"]
    found = {}
    for name, options in written.items():
        given = {key: value for key, value in options.items() if key != "protocol"}
        tree = Tree({"evaluation": {name: given}}, {(): Origin(recipe)})
        slot = Slot("protocol", component=options.get("protocol", name))
        found[name] = resolved(choose(slot, given, tree, ("evaluation", name)).options)
    return found


@pytest.mark.parametrize("recipe", SHIPPED)
def test_its_evaluations_have_every_value_that_the_paper_prints(recipe: str) -> None:
    """And those of its code, where the recipe has the option; a printed value without an option is listed above."""
    found, compared, absent = resolved_evaluations(recipe), set[str](), set[tuple[str, str]]()
    for setting in recipe_settings(recipe):
        if not setting.path.startswith("evaluation."):
            continue
        got = _value({"evaluation": found}, setting.path)
        if setting.mark == "printed" and not _same(setting.value, got):
            absent.add((recipe, setting.path))
        elif got is not ABSENT and not isinstance(setting.value, str):
            assert _same(setting.value, got), f"{setting.path}: {setting.value} ({setting.mark}), here {got}"
            compared.add(setting.path)
    assert absent == {key for key in ELSEWHERE if key[0] == recipe}
    assert {"evaluation.finetune.epochs", "evaluation.finetune.optimizer.learning_rate.value"} <= compared


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
