"""Data sets under the names that a study gives them: their roots, and what a name may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.config.identity import cell_id
from raysl.errors import ConfigError
from raysl.planning.plan_study import with_seed
from raysl.planning.study import Study, load_study
from raysl.results.search_folder import Value
from tests.planning.studies import SEARCH, write_study

TWO = """
title: "Pretrain on one folder, evaluate on another"
base: recipe
datasets: {first: {name: folder}, second: {name: folder}}
data: first
rows: {first: {}, second: {data: second}, random: {pretraining: none}}
seeds: [0]
evaluations: [retrieval/second]
"""


def load(folder: Path, text: str = TWO, *overrides: str, scale: str | None = None) -> Study:
    return load_study(write_study(folder, text), scale, list(overrides))


def roots(study: Study) -> list[tuple[str, ...]]:
    """Of each row, what the roots of its pretraining set and of its evaluations' are bound to."""
    sets = [(row.cell.data, *(evaluation.data for evaluation in row.evaluations)) for row in study.rows]
    return [tuple(data.bound_name for data in of_row) for of_row in sets]


def test_names_are_kept_for_pretraining_and_evaluations(tmp_path: Path) -> None:
    study = load(tmp_path)
    assert roots(study) == [("first", "second"), ("second", "second"), ("first", "second")]
    first, second, _ = study.rows
    assert cell_id(first.cell) == cell_id(second.cell), "names enter no id"
    assert first.identity != second.identity


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        (TWO.replace("[retrieval/second]", "[retrieval/secnd]"), r"study\.yaml:8: evaluations\.0"),
        (TWO.replace("data: first", "data: secnd"), r"study\.yaml:5: data"),
        (TWO.replace("{data: second}", "{data: secnd}"), r"study\.yaml:6: data"),
        (TWO.replace("{data: second}", "{data.name: secnd/2}"), r"study\.yaml:6: data\.name"),
    ],
)
def test_a_misspelt_name_suggests_the_studys_own(wrong: str, key: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"{key}: unknown data set 'secnd(/2)?' \(did you mean 'second'\?\)"):
        load(tmp_path, wrong)


def test_names_survive_a_scale_overrides_and_another_seed(tmp_path: Path) -> None:
    (tmp_path / "scales").mkdir()
    (tmp_path / "scales" / "half.yaml").write_text("multiply: {training.steps: {by: 0.5}}\n")
    study = load(tmp_path, TWO, "data.split_seed=3", "training.batch_size=4", scale="half")
    assert roots(study)[0] == ("first", "second")
    assert study.rows[0].cell.data.options.split_seed == 3
    assert with_seed(study.rows[0].cell, 5).data.bound_name == "first"


def test_set_may_name_a_data_set_of_the_study(tmp_path: Path) -> None:
    text = TWO.replace("second: {data: second}, ", "")
    assert roots(load(tmp_path, text, "data=second"))[0] == ("second", "second")
    assert roots(load(tmp_path, text, "data=synthetic/small"))[0] == ("synthetic", "second")
    text = text.replace("retrieval/second", "retrieval/first")
    assert roots(load(tmp_path, text, "data=second"))[0] == ("second", "first"), "the evaluation keeps its own"
    with pytest.raises(ConfigError, match="makes the rows 'first' and 'second' equal: lost: data"):
        load(tmp_path, TWO, "data=second")


def test_substitutes_have_their_own_names(tmp_path: Path) -> None:
    (tmp_path / "scales").mkdir()
    (tmp_path / "scales" / "small.yaml").write_text(
        "datasets: {tiny: {name: synthetic, classes: 3}}\nsubstitute: {first: tiny, tiny: hmdb51}\n"
    )
    text = TWO.replace("[retrieval/second]", "[retrieval/first]")
    study = load(tmp_path, text, scale="small")
    assert roots(study) == [("tiny", "tiny"), ("second", "tiny"), ("tiny", "tiny")]
    assert study.rows[0].evaluations[0].data.options.classes == 3, "what a scale puts in is not substituted again"


def test_rows_that_differ_only_in_the_name_of_a_rendered_set_are_equal(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"rows\.second: is the same computation as row 'first'"):
        load(tmp_path, TWO.replace("folder", "synthetic"))


def test_a_search_scores_on_a_set_of_its_own_name(tmp_path: Path) -> None:
    text = SEARCH + "datasets: {first: {name: folder}, second: {name: folder}}\ndata: first\n"
    search = load(tmp_path, text.replace("seed: 7}", "seed: 7, data: second}")).search
    assert search is not None
    assert (search.base.cell.data.bound_name, search.data.bound_name) == ("first", "second")
    point: dict[str, Value] = {"objective.contrastive.temperature": 0.2, "objective.contrastive.framework": "simclr"}
    assert search.trial(point).data.bound_name == "first"


def test_a_variant_of_a_named_set(tmp_path: Path) -> None:
    text = TWO.replace("second: {name: folder}", "second: {name: synthetic, sprites: 3}")
    study = load(tmp_path, text.replace("[retrieval/second]", "[retrieval/second/small]"))
    data = study.rows[0].evaluations[0].data
    assert (data.bound_name, data.options.sprites, data.options.width) == ("second", 3, 80)
    with pytest.raises(ConfigError, match="synthetic/huge: there is no such variant"):
        load(tmp_path, text.replace("[retrieval/second]", "[retrieval/second/huge]"))


BAD_NAMES = {
    "a reader's name": ("ucf101: {name: folder}", r"study\.yaml:\d+: datasets\.ucf101: ucf101 is the name of a reader"),
    "a reader's name in capitals": ("UCF101: folder", r"datasets\.UCF101: ucf101 is the name of a reader"),
    "two names that are one": ("a-b: {name: folder}, A_b: {name: folder}", r"datasets\.A_b: 'a-b' and 'A_b' are one"),
    "a name twice": ("a: {name: folder}, a: {name: folder}", r"datasets\.a: this key is written twice"),
    "no definition": ("a: null", r"datasets\.a: name a data set here"),
    "a definition without a name": ("a: {split: folders}", r"datasets\.a: name a data set here"),
}


@pytest.mark.parametrize("case", BAD_NAMES)
def test_a_name_that_leaves_the_root_open_is_refused(case: str, tmp_path: Path) -> None:
    written, message = BAD_NAMES[case]
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, TWO.replace("datasets: {", f"datasets: {{{written}, "))


def test_a_readers_own_name_may_hold_its_options(tmp_path: Path) -> None:
    own = "ucf101: {name: ucf101/2}, folder: {name: folder, split_seed: 4}"
    text = TWO.replace("datasets: {", f"datasets: {{{own}, ")
    text = text.replace("first: {name: folder}, ", "").replace(
        "[retrieval/second]", "[retrieval/second, linear/ucf101]"
    )
    study = load(tmp_path, text.replace("data: first", "data: folder"))
    assert study.rows[0].cell.data.bound_name == "folder"
    assert study.rows[0].cell.data.options.split_seed == 4
