"""Settings of the recipes, and what a configuration says otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from raysl.errors import ConfigError
from raysl.published import differences, recipe_settings, setting_recipes
from raysl.published.settings import ABSENT, read


def test_the_five_recipes_are_complete_in_what_every_recipe_has() -> None:
    assert set(setting_recipes()) == {"taco", "tclr", "sstl", "cstp", "cvrl"}
    needed = {
        "data", "clip.frames", "clip.stride", "clip.size", "sampling.pair.name", "backbone.name",
        "objective.contrastive.framework", "optimizer.name", "optimizer.learning_rate.value", "optimizer.weight_decay",
        "optimizer.learning_rate.at_batch", "schedule.name", "schedule.warmup_epochs", "training.epochs",
        "training.batch_size", "evaluation.finetune.epochs",
    }  # fmt: skip
    for recipe in setting_recipes():
        missing = needed - {setting.path for setting in recipe_settings(recipe)}
        assert missing <= ({"sampling.pair.name"} if recipe == "taco" else set()), recipe
        assert all(setting.source for setting in recipe_settings(recipe))


@pytest.mark.parametrize(
    ("recipe", "path", "value", "mark"),
    [
        ("cvrl", "optimizer.learning_rate.value", 0.32, "printed"),
        ("cvrl", "objective.contrastive.projector.hidden_dim", 2048, "code"),
        ("cvrl", "objective.contrastive.symmetric", "one_way", "printed"),
        ("tclr", "optimizer.weight_decay", 0.0, "printed"),
        ("tclr_released", "optimizer.weight_decay", 1e-9, "code"),
        ("tclr_released", "schedule.patience", 8, "code"),
        ("taco", "objective.contrastive.negatives", 16384, "printed"),
        ("sstl", "evaluation.finetune.schedule.milestones", (50, 80, 100), "printed"),
        ("cstp", "objective.contrastive.reduction", "sum", "printed"),
        ("cstp_released", "training.clip_gradient_norm", 18.0, "code"),
    ],
)
def test_some_settings_by_hand(recipe: str, path: str, value: object, mark: str) -> None:
    (found,) = [setting for setting in recipe_settings(recipe) if setting.path == path]
    assert (found.value, found.mark) == (value, mark)


def written(folder: Path, lines: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(f"recipes:\n  r:\n{lines}")
    return path


SMALL = """
  - {path: data, value: ucf101, mark: printed, source: s}
  - {path: clip.frames, value: 16, mark: printed, source: s}
  - {path: augment.name, value: standard, mark: ours, source: s}
  - {path: augment.temporally_consistent, value: true, mark: code, source: s}
  - {path: optimizer.milestones, value: [1, 2], mark: code, source: s}
  - {path: objective.contrastive, value: null, mark: code, source: s}
  - {path: evaluation.linear.clips, value: 10, mark: printed, source: s}
"""
CELL = {
    "data": {"name": "ucf101", "split": 1},
    "clip": {"frames": 16},
    "augment": {"name": "standard", "temporally_consistent": True},
    "optimizer": {"milestones": [1, 2]},
    "objective": {"contrastive": None},
}


def small_differences(monkeypatch: pytest.MonkeyPatch, folder: Path, cell: dict[str, Any]) -> list[Any]:
    settings = read(written(folder, SMALL))
    monkeypatch.setattr("raysl.published.settings._everything", lambda: settings)
    return differences("r", cell)


def test_a_configuration_that_agrees(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert small_differences(monkeypatch, tmp_path, CELL) == [], "evaluations are not a cell's"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"data": {"name": "hmdb51"}}, [("data", "ucf101", {"name": "hmdb51"})]),
        ({"clip": {"frames": 8}}, [("clip.frames", 16, 8)]),
        ({"clip": {}}, [("clip.frames", 16, ABSENT)]),
        ({"augment": {"name": "standard", "temporally_consistent": 1}}, [("augment.temporally_consistent", True, 1)]),
        ({"optimizer": {"milestones": [1, 3]}}, [("optimizer.milestones", (1, 2), [1, 3])]),
        ({"objective": {}}, [("objective.contrastive", None, ABSENT)]),
    ],
)
def test_each_difference_is_named(
    change: dict[str, Any], expected: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert small_differences(monkeypatch, tmp_path, {**CELL, **change}) == expected


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mark: ours", "mark: guessed", r"settings\.yaml:\d+: recipes\.r\.2.*guessed"),
        ("path: augment.name", "path: clip.frames", r"settings\.yaml:6: .*path: clip\.frames is repeated"),
        ("path: data", "path: dta", r"dta is of no configuration \(did you mean 'data'"),
        ("value: 16, ", "", r"recipes\.r\.1"),
        ("source: s}", "source: s, nots: x}", r"nots"),
    ],
)
def test_a_bad_file_is_refused(old: str, new: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        read(written(tmp_path, SMALL.replace(old, new, 1)))


VARIANT = """
variants:
  r_released:
    of: r
    without: [objective.contrastive]
    settings:
    - {path: clip.frames, value: 8, mark: code, source: s}
    - {path: clip.stride, value: 2, mark: code, source: s}
"""


def test_a_variant_is_its_recipe_but_for_what_it_says(tmp_path: Path) -> None:
    found = read(written(tmp_path, SMALL + VARIANT))
    paths = [setting.path for setting in found.recipes["r"]]
    left = [path for path in paths if path not in ("clip.frames", "objective.contrastive")]
    assert [setting.path for setting in found.of("r_released")] == [*left, "clip.frames", "clip.stride"]
    assert [setting.value for setting in found.of("r_released")][-2:] == [8, 2]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("of: r\n", "of: q\n", r"variants\.r_released\.of: there is no recipe q"),
        ("r_released:", "r:", r"variants\.r: r is a recipe already"),
        ("value: 8", "value: 16", r"settings\.0: clip\.frames is as in r"),
        ("[objective.contrastive]", "[objective.contrastiv]", r"without\.0: .*did you mean 'objective\.contrastive'"),
        ("path: clip.stride", "path: clip.frames", r"clip\.frames is repeated"),
    ],
)
def test_a_bad_variant_is_refused(old: str, new: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        read(written(tmp_path, SMALL + VARIANT.replace(old, new, 1)))


def test_an_unknown_recipe_is_an_error_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"'cvrll' \(did you mean 'cvrl'\?\)"):
        recipe_settings("cvrll")
