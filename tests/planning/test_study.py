"""Studies from YAML: extension, scales, overrides, and one clear error for what does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.errors import ConfigError
from raysl.planning.study import find_studies, load_study, study_name
from tests.planning.studies import RECIPE, STUDY, contrastive, write_study


def test_rows_differ_from_the_base_by_what_they_say(tmp_path: Path) -> None:
    study = load_study(write_study(tmp_path))
    random, plain, warm = study.rows
    assert random.cell.pretraining == "none"
    assert contrastive(plain.cell).temperature == 0.1
    assert contrastive(warm.cell).temperature == 0.5
    assert [evaluation.label for evaluation in plain.evaluations] == ["linear/synthetic", "retrieval/synthetic"]


def test_set_is_laid_over_everything(tmp_path: Path) -> None:
    study = load_study(write_study(tmp_path), overrides=["training.steps=9", "evaluation.linear.clips=3", "seeds=[5]"])
    assert {row.cell.training.steps for row in study.rows} == {9}
    assert study.rows[0].evaluations[0].protocol.options.clips == 3
    assert study.seeds == (5,)


def test_a_scale_sets_before_rows_and_multiplies_after_them(tmp_path: Path) -> None:
    (tmp_path / "scales").mkdir()
    (tmp_path / "scales" / "small.yaml").write_text(
        "seeds: [7]\n"
        "set: {clip.size: 24, objective.contrastive.temperature: 0.9}\n"
        "multiply: {training.steps: {by: 0.5}, training.batch_size: {by: 0.5, multiple_of: 2},"
        " evaluation.linear.clips: {by: 0.4, min: 2}, training.epochs: {by: 2}}\n"
    )
    study = load_study(write_study(tmp_path), "small")
    assert study.seeds == (7,)
    plain, warm = study.rows[1].cell, study.rows[2].cell
    assert (plain.clip.size, plain.training.steps, plain.training.batch_size) == (24, 2, 4)
    assert contrastive(plain).temperature == 0.9, "the scale sets the base"
    assert contrastive(warm).temperature == 0.5, "the row's factor survives the scale"
    assert study.rows[0].evaluations[0].protocol.options.clips == 2


def test_a_study_changes_a_named_scale_for_itself(tmp_path: Path) -> None:
    (tmp_path / "scales").mkdir()
    (tmp_path / "scales" / "small.yaml").write_text("set: {clip.size: 24, clip.frames: 2}\n")
    study = load_study(write_study(tmp_path, STUDY + "scales: {small: {set: {clip.size: 28}}}\n"), "small")
    assert (study.rows[1].cell.clip.size, study.rows[1].cell.clip.frames) == (28, 2)


def test_substitution_goes_through_pretraining_and_evaluations(tmp_path: Path) -> None:
    (tmp_path / "scales").mkdir()
    (tmp_path / "scales" / "small.yaml").write_text("substitute: {ucf101: tiny}\n")
    recipe = RECIPE.replace(RECIPE.split("\n")[1], "data: ucf101/2") + (
        "datasets: {tiny: {name: synthetic, classes: 2, train_per_class: 4, test_per_class: 2}}\n"
    )
    text = STUDY.replace("linear/synthetic, retrieval/synthetic", "linear/ucf101/2")
    full = load_study(write_study(tmp_path, text, recipe))
    assert full.rows[1].cell.data.name == "ucf101"
    assert full.rows[1].cell.data.options.split == 2
    small = load_study(tmp_path / "study.yaml", "small")
    assert small.rows[1].cell.data.name == "synthetic"
    assert small.rows[1].cell.data == small.rows[1].evaluations[0].data
    assert small.rows[1].evaluations[0].label == "linear/tiny"


def test_rows_that_a_scale_makes_equal_are_refused_with_the_key_that_was_lost(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    with pytest.raises(
        ConfigError, match=r"makes the rows 'plain' and 'warm' equal: lost: objective\.contrastive\.temp"
    ):
        load_study(path, overrides=["objective.contrastive.temperature=0.3"])


def test_two_data_sets_may_not_become_one(tmp_path: Path) -> None:
    (tmp_path / "scales").mkdir()
    (tmp_path / "scales" / "small.yaml").write_text("substitute: {ucf101: synthetic, hmdb51: synthetic}\n")
    with pytest.raises(ConfigError, match=r"small\.yaml:1: substitute: two data sets become 'synthetic'"):
        load_study(write_study(tmp_path), "small")


BAD_STUDIES = {
    "unknown row key": (STUDY.replace("pretraining: none", "pretrainin: none"),
                        r"study\.yaml:5: rows\.random\.pretrainin: unknown row key \(did you mean 'pretraining'\?\)"),
    "unknown key inside a row": (STUDY.replace("contrastive.temperature: 0.5", "contrastive.temprature: 0.5"),
                                 r"study\.yaml:7: .*temprature: unknown key \(did you mean 'temperature'\?\)"),
    "unknown key of a study": (STUDY + "evaluation_s: []\n",
                               r"study\.yaml:11: evaluation_s: unknown key \(did you mean 'evaluations'\?\)"),
    "unknown data set": (STUDY.replace("linear/synthetic", "linear/sinthetic"), r"did you mean 'synthetic'"),
    "unknown protocol": (STUDY.replace("linear/synthetic", "linaer/synthetic"), r"did you mean 'linear'"),
    "no data set in an evaluation": (STUDY.replace("[linear/synthetic", "[linear"), r"write PROTOCOL/DATASET"),
    "a number as text": (STUDY.replace("temperature: 0.5", "temperature: '0.5'"),
                         r"study\.yaml:7: objective\.contrastive\.temperature: .*'0\.5'"),
    "out of bounds": (STUDY.replace("temperature: 0.5", "temperature: 0"),
                      r"study\.yaml:7: objective\.contrastive\.temperature: .*greater than 0.*not 0"),
    "unknown baseline": (STUDY.replace("baseline: plain", "baseline: plane"),
                         r"no row 'plane' \(did you mean 'plain'\?\)"),
    "missing base": (STUDY.replace("base: recipe", "base: recipes"), r"study\.yaml:3: base: there is no recipes"),
    "no rows": ("title: x\nbase: recipe\n", r"has no rows"),
    "a seed twice": (STUDY.replace("[0, 1]", "[1, 1]"), r"study\.yaml:9: seeds: a seed is given twice"),
    "a row that is no mapping": (STUDY.replace("{pretraining: none}", "none at all"),
                                 r"study\.yaml:5: rows\.random: a mapping"),
    "no objective": (STUDY.replace("{objective.contrastive.temperature: 0.5}", "{objective.contrastive: null}"),
                     r"objective.*has no term"),
    "two lengths": (STUDY.replace("{objective.contrastive.temperature: 0.5}", "{training.epochs: 2}"),
                    r"exactly one of training\.epochs and training\.steps"),
    "a crop larger than the frame": (STUDY.replace("{objective.contrastive.temperature: 0.5}", "{clip.size: 64}"),
                                     r"clip\.size 64 is larger than clip\.resize 32"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_STUDIES)
def test_a_bad_study_is_one_error_that_names_file_line_and_key(case: str, tmp_path: Path) -> None:
    text, message = BAD_STUDIES[case]
    with pytest.raises(ConfigError, match=message):
        load_study(write_study(tmp_path, text))


def test_a_cycle_of_bases_is_refused(tmp_path: Path) -> None:
    write_study(tmp_path, recipe="base: study\n" + RECIPE)
    with pytest.raises(ConfigError, match=r"circle: study\.yaml -> recipe\.yaml -> study\.yaml"):
        load_study(tmp_path / "study.yaml")


def test_a_missing_required_key_and_an_unknown_scale(tmp_path: Path) -> None:
    path = write_study(tmp_path, recipe=RECIPE.replace("backbone", "#"))
    with pytest.raises(ConfigError, match=r"backbone: this key is required and missing"):
        load_study(path)
    (tmp_path / "scales").mkdir()
    (tmp_path / "scales" / "laptop.yaml").write_text("title: x\n")
    with pytest.raises(
        ConfigError, match=r"--scale lapotp: .*did you mean 'laptop'\?\); those found: gpu, laptop, paper, smoke"
    ):
        load_study(write_study(tmp_path), "lapotp")


@pytest.mark.parametrize("override", ["training.steps", "=3", "training.steps=[1"])
def test_an_override_that_cannot_be_read(override: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--set"):
        load_study(write_study(tmp_path), overrides=[override])


def test_an_unknown_key_in_an_override_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--set: training\.epoch: unknown key \(did you mean 'epochs'\?\)"):
        load_study(write_study(tmp_path), overrides=["training.epoch=3"])


def test_a_folder_stands_for_the_studies_below_it(tmp_path: Path) -> None:
    path = write_study(tmp_path / "a")
    (tmp_path / "a" / "scales").mkdir()
    (tmp_path / "a" / "scales" / "smoke.yaml").write_text("title: x\n")
    assert find_studies([tmp_path]) == [path], "neither recipes nor scales are studies"
    with pytest.raises(ConfigError, match="no such file or folder"):
        find_studies([tmp_path / "absent"])


def test_a_protocol_may_stand_twice_under_names_of_its_own(tmp_path: Path) -> None:
    text = STUDY.replace("[linear/synthetic, retrieval/synthetic]", "[linear/synthetic, few_clips/synthetic]")
    study = load_study(write_study(tmp_path, text + "evaluation: {few_clips: {protocol: linear, clips: 2}}\n"))
    own, few = study.rows[0].evaluations
    assert (few.label, few.protocol.name, few.protocol.options.clips) == ("few_clips/synthetic", "linear", 2)
    assert (own.label, own.protocol.options.clips) == ("linear/synthetic", 5)


def test_a_second_name_of_a_protocol_has_its_options(tmp_path: Path) -> None:
    text = STUDY.replace("[linear/synthetic, retrieval/synthetic]", "[few/synthetic, finetune/synthetic]")
    text += """
evaluation:
  finetune:
    epochs: 7
    batch_size: 4
    optimizer: {name: adam, learning_rate: {value: 0.001, at_batch: 32}}
  few: {protocol: finetune, label_fraction: 0.5, epochs: 3, optimizer: {learning_rate: {at_batch: 16}}}
"""
    few, own = (
        evaluation.protocol.options for evaluation in load_study(write_study(tmp_path, text)).rows[0].evaluations
    )
    assert (own.label_fraction, own.epochs, own.optimizer.options.learning_rate.at_batch) == (1.0, 7, 32)
    assert (few.label_fraction, few.epochs, few.batch_size) == (0.5, 3, 4)
    assert (few.optimizer.name, few.optimizer.options.learning_rate.at_batch) == ("adam", 16)
    wrong = text.replace("epochs: 7", "epoch: 7")
    with pytest.raises(ConfigError, match=r"study\.yaml:14: .*epoch: unknown key \(did you mean 'epochs'"):
        load_study(write_study(tmp_path, wrong))


def test_a_scale_names_the_data_sets_that_it_puts_in(tmp_path: Path) -> None:
    (tmp_path / "scales").mkdir()
    (tmp_path / "scales" / "small.yaml").write_text(
        "datasets: {tiny: {name: synthetic, classes: 3}}\nsubstitute: {ucf101: tiny}\n"
    )
    text = STUDY.replace("linear/synthetic, retrieval/synthetic", "linear/ucf101/2")
    (evaluation,) = load_study(write_study(tmp_path, text), "small").rows[0].evaluations
    assert (evaluation.label, evaluation.data.options.classes) == ("linear/tiny", 3)


def test_a_study_is_named_by_its_place_below_search_spaces(tmp_path: Path) -> None:
    assert study_name(tmp_path / "search_spaces" / "cvrl" / "table9.yaml") == "cvrl/table9"
    assert study_name(tmp_path / "search_spaces" / "quickstart.yaml") == "quickstart"
    assert study_name(tmp_path / "mine" / "table9.yaml") == "table9"
