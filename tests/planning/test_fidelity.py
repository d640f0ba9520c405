"""Where each setting of a paper stands: by its mark, in a study, or nowhere."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from raysl.errors import ConfigError
from raysl.planning.fidelity import STATES, RecipeFidelity, fidelity
from raysl.published import recipe_settings, setting_recipes
from tests.search_spaces.shipped import SEARCH_SPACES


@pytest.fixture(scope="module")
def found() -> dict[str, RecipeFidelity]:
    return {recipe.recipe: recipe for recipe in fidelity(SEARCH_SPACES)}


def test_every_setting_stands_in_one_place(found: dict[str, RecipeFidelity]) -> None:
    assert tuple(found) == setting_recipes()
    for name, recipe in found.items():
        placed = [setting for state in STATES for setting in recipe.of(state)]
        assert sorted(setting.path for setting in placed) == sorted(one.path for one in recipe_settings(name))


def test_some_settings_by_hand(found: dict[str, RecipeFidelity]) -> None:
    states = {one.setting.path: one.state for one in found["tclr"].standings}
    assert states["training.batch_size"] == "code"
    assert states["evaluation.finetune.label_fraction"] == "elsewhere"
    assert states["optimizer.weight_decay"] == "printed"
    assert found["cstp"].variants == ("cstp_released",)
    otherwise = {name: [one.path for one in recipe.printed_otherwise] for name, recipe in found.items()}
    assert otherwise.pop("tclr") == ["backbone.name", "objective.contrastive.symmetric"]
    assert not any(otherwise.values())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(SEARCH_SPACES / "recipes", tmp_path / "recipes")
    return tmp_path


@pytest.mark.parametrize(
    ("recipe", "old", "new", "message"),
    [
        ("taco", "temperature: 0.07", "temperature: 0.2", r"taco\.yaml: .*contrastive\.temperature is 0\.2, and 0\.07"),
        ("taco_amended", "concat_diff", "sum_diff", r"taco_amended\.yaml: .*pretext\.shuffle\.fusion is 'sum_diff'"),
        ("taco", "    epochs: 60", "    epochs: 61", r"evaluation\.linear_trained\.epochs is 61, and 60"),
    ],
)
def test_a_recipe_that_is_not_what_its_settings_say_is_refused(
    recipe: str, old: str, new: str, message: str, folder: Path
) -> None:
    path = folder / "recipes" / f"{recipe}.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ConfigError, match=message):
        fidelity(folder)


def test_a_recipe_that_is_not_there_is_named(folder: Path) -> None:
    (folder / "recipes" / "taco_amended.yaml").unlink()
    with pytest.raises(ConfigError, match=r"there is no recipe .*taco_amended\.yaml"):
        fidelity(folder)
