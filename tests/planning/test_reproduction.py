"""``reproduces:`` and ``published:`` of a study, at its own scale and at others."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.errors import ConfigError
from raysl.planning.study import load_study
from tests.planning.studies import RECIPE, STUDY, write_study

PUBLISHED = """
reproduces: cvrl_t6
published:
  rows:
    plain: {hidden_layers: 3}
    warm: {hidden_layers: 0}
  columns: {"linear/synthetic": top1}
  unscored: [[plain, warm]]
"""


def test_rows_and_columns_are_found(tmp_path: Path) -> None:
    found = load_study(write_study(tmp_path, STUDY + PUBLISHED)).published
    assert found is not None
    assert (found.table.id, found.rows, found.columns) == (
        "cvrl_t6",
        {"plain": 3, "warm": 0},
        {"linear/synthetic": "top1"},
    )
    assert found.unscored == {frozenset(("plain", "warm"))}


def test_a_pair_may_be_unscored_in_one_column_alone(tmp_path: Path) -> None:
    both = PUBLISHED.replace('{"linear/synthetic": top1}', '{"linear/synthetic": top1, "retrieval/synthetic": top5}')
    text = STUDY + both.replace("unscored: [[plain, warm]]", 'unscored_in: {"linear/synthetic": [[plain, warm]]}')
    found = load_study(write_study(tmp_path, text)).published
    assert found is not None
    assert [found.is_unscored("warm", "plain", column) for column in ("top1", "top5")] == [True, False]
    wrong = text.replace('unscored_in: {"linear', 'unscored_in: {"lineer')
    with pytest.raises(ConfigError, match=r"published\.unscored_in\.lineer.*no such matched column \(did you mean"):
        load_study(write_study(tmp_path, wrong))


def test_a_study_that_reproduces_nothing_and_one_that_matches_nothing(tmp_path: Path) -> None:
    assert load_study(write_study(tmp_path)).published is None
    found = load_study(write_study(tmp_path, STUDY + "reproduces: tclr_f7\n")).published
    assert found is not None
    assert (found.table.id, found.rows) == ("tclr_f7", {})


def test_columns_follow_the_data_sets_that_a_scale_substitutes(tmp_path: Path) -> None:
    (tmp_path / "scales").mkdir()
    (tmp_path / "scales" / "small.yaml").write_text("substitute: {ucf101: tiny}\n")
    recipe = RECIPE.replace(RECIPE.split("\n")[1], "data: ucf101") + (
        "datasets: {tiny: {name: synthetic, classes: 2, train_per_class: 4, test_per_class: 2}}\n"
    )
    text = STUDY.replace("linear/synthetic, retrieval/synthetic", "linear/ucf101/1, retrieval/ucf101")
    text += 'columns: ["linear/ucf101/1:top1", "retrieval/ucf101"]\n'
    text += PUBLISHED.replace("linear/synthetic", "linear/ucf101/1:top1")
    written = load_study(write_study(tmp_path, text, recipe))
    small = load_study(tmp_path / "study.yaml", "small")
    assert written.published is not None
    assert small.published is not None
    assert written.published.columns == {"linear/ucf101/1:top1": "top1"}
    assert small.published.columns == {"linear/tiny:top1": "top1"}
    assert small.column("retrieval/ucf101") == "retrieval/tiny"


BAD = {
    "unknown table": (("cvrl_t6", "cvrl_t66"), r"study\.yaml:12: reproduces: .*did you mean 'cvrl_t6'"),
    "no table": (("reproduces: cvrl_t6\n", ""), r"published: name the table with the key reproduces"),
    "unknown row": (
        ("plain: {h", "plane: {h"),
        r"study\.yaml:15: published\.rows\.plane: .*row \(did you mean 'plain'",
    ),
    "unknown column": (("linear/synthetic", "linear/sinthetic"), r"column \(did you mean 'linear/synthetic'\?\)"),
    "unmatched row": (
        ("hidden_layers: 0", "hidden_layers: 9"),
        r"study\.yaml:16: published\.rows\.warm: row 'warm': no row",
    ),
    "unknown published column": (("top1}", "top2}"), r"cvrl_t6 has no column 'top2'"),
    "unknown key": (("unscored", "unscord"), r"published\.unscord: unknown key \(did you mean 'unscored'"),
    "a pair of three": (("[[plain, warm]]", "[[plain, warm, random]]"), r"published\.unscored"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_fit_is_one_error(case: str, tmp_path: Path) -> None:
    (old, new), message = BAD[case]
    with pytest.raises(ConfigError, match=message):
        load_study(write_study(tmp_path, STUDY + PUBLISHED.replace(old, new)))
