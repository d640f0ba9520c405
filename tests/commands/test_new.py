"""`raysl new`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from raysl.commands.inputs import load_studies
from raysl.commands.new import write_study
from raysl.commands.schema import schema_text
from raysl.errors import ConfigError
from tests.search_spaces.shipped import SEARCH_SPACES
from tests.test_cli import raysl

jsonschema = pytest.importorskip("jsonschema")
RECIPES = sorted(file.stem for file in (SEARCH_SPACES / "recipes").glob("*.yaml"))


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_what_is_written_is_planned_and_run_as_it_says() -> None:
    done = raysl("new", "my_study.yaml", "--from", "recipes/simclr", "--data", "folder")
    assert done.returncode == 0, done.stderr
    assert "written: my_study.yaml: 3 rows, 11 cells" in done.stdout
    run = "raysl run my_study.yaml --scale laptop --root folder=FOLDER"
    assert run in done.stdout
    assert run in Path("my_study.yaml").read_text()
    written = yaml.safe_load(Path("my_study.yaml").read_text())
    jsonschema.Draft7Validator(json.loads(schema_text("study"))).validate(written)
    plan = raysl("plan", "my_study.yaml", "--scale", "laptop")
    assert plan.returncode == 0, plan.stderr
    assert "half the learning rate: optimizer.learning_rate.value" in plan.stdout


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("data", ["folder", "ucf101/1", "synthetic"])
def test_every_recipe_makes_a_study(recipe: str, data: str) -> None:
    planned = write_study(Path("own.yaml"), f"recipes/{recipe}", data)
    base, half = (row.cell.optimizer.options.learning_rate.value for row in planned.study.rows[1:])
    assert half == pytest.approx(base / 2, rel=1e-3)
    assert {row.cell.data.name for row in planned.study.rows} == {data.partition("/")[0]}
    for scale in ("laptop", "smoke"):
        load_studies([Path("own.yaml")], scale, [])


def test_people_in_boxes_are_detected() -> None:
    (evaluation,) = write_study(Path("own.yaml"), "recipes/cvrl", "ava").study.rows[0].evaluations
    assert evaluation.label == "detection/ava"


def test_a_file_that_is_there_stays_as_it_is() -> None:
    Path("mine.yaml").write_text("title: mine\n")
    done = raysl("new", "mine.yaml")
    assert done.returncode == 2
    assert "mine.yaml: is there already, and is left as it is" in done.stderr
    assert Path("mine.yaml").read_text() == "title: mine\n"


@pytest.mark.parametrize(
    ("file", "recipe", "data", "message"),
    [
        ("own", "recipes/simclr", "folder", r"call it own\.yaml"),
        ("absent/own.yaml", "recipes/simclr", "folder", "cannot be written: No such file or directory"),
        ("own.yaml", "recipes/simclrr", "folder", "no such recipe .*'recipes/simclr'"),
        ("own.yaml", "quickstart", "folder", "is a study"),
        ("own.yaml", "recipes/simclr", "foldr", "did you mean 'folder'"),
        ("own.yaml", "part", "folder", r"no optimizer\.learning_rate\.value"),
        ("own.yaml", "wrong", "folder", r"these make no study: .*augment: this key is required"),
    ],
)
def test_what_cannot_be_a_study_is_refused_and_not_written(file: str, recipe: str, data: str, message: str) -> None:
    Path("part.yaml").write_text("training: {epochs: 2}\n")
    Path("wrong.yaml").write_text("optimizer: {name: sgd, learning_rate: {value: 0.1, at_batch: 8}}\n")
    with pytest.raises(ConfigError, match=message):
        write_study(Path(file), recipe, data)
    assert not Path(file).exists()


def test_a_recipe_of_ones_own_beside_the_file() -> None:
    text = (SEARCH_SPACES / "recipes" / "simclr.yaml").read_text()
    Path("our recipe.yaml").write_text(text.replace("value: 1.0e-3", "value: 0.3"))
    planned = write_study(Path("own.yaml"), "our recipe", "synthetic")
    assert [row.name for row in planned.study.rows] == ["random weights", "our recipe", "half the learning rate"]
    assert planned.study.rows[2].cell.optimizer.options.learning_rate.value == 0.15
