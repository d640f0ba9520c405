"""The columns of mixed/protocols.yaml are the evaluations of the papers' recipes."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.config.evaluation import EvaluationConfig
from raysl.config.identity import resolved
from raysl.planning.study import load_study
from tests.search_spaces.shipped import SEARCH_SPACES

STUDY = SEARCH_SPACES / "mixed" / "protocols.yaml"
NAMES = {"linear": "linear_trained", "retrieval": "retrieval", "finetune": "finetune"}
OTHERWISE = {"cvrl_linear": "linear_ucf101"}
"""Where a recipe has a second name for what it does on UCF101."""
WITHOUT = {"taco_retrieval", "cvrl_retrieval", "sstl_linear"}
"""What a paper has not."""


def of_recipe(paper: str, name: str, folder: Path) -> EvaluationConfig:
    """The evaluation of a paper's recipe on UCF101."""
    text = f"title: one\nbase: {SEARCH_SPACES}/recipes/{paper}\nrows: {{a: {{}}}}\nevaluations: [{name}/ucf101]\n"
    path = folder / "study.yaml"
    path.write_text(text)
    (evaluation,) = load_study(path).rows[0].evaluations
    return evaluation


@pytest.mark.parametrize("paper", ["taco", "tclr", "sstl", "cstp", "cvrl"])
def test_each_column_is_its_recipes(paper: str, tmp_path: Path) -> None:
    columns = {one.label.partition("/")[0]: one for one in load_study(STUDY).rows[0].evaluations}
    for what, protocol in NAMES.items():
        tag = f"{paper}_{what}"
        assert (tag in columns) != (tag in WITHOUT)
        if tag in columns:
            expected = of_recipe(paper, OTHERWISE.get(tag, protocol), tmp_path).protocol
            assert columns[tag].protocol.name == expected.name
            assert resolved(columns[tag].protocol.options) == resolved(expected.options), tag


def test_ours_is_beside_each_kind_of_theirs() -> None:
    columns = [one.label.partition("/")[0] for one in load_study(STUDY).rows[0].evaluations]
    assert {"linear", "retrieval"} <= set(columns)
    assert {column.rpartition("_")[2] for column in columns} == set(NAMES)
