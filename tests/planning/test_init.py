"""Rows that start from the cell of another row."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from raysl.config.cells import Cell, unique_cells
from raysl.config.identity import cell_id, resolved
from raysl.config.load import cell_from, load_cell
from raysl.errors import ConfigError
from raysl.planning.differences import describe_differences
from raysl.planning.plan_study import plan_study
from raysl.planning.study import Study, load_study
from tests.planning.studies import write_study

STUDY = """
title: "Starts"
base: recipe
rows:
{rows}
seeds: [0, 1]
evaluations: [linear/synthetic]
"""


def study(folder: Path, **rows: str) -> Study:
    text = "\n".join(f"  {name.replace('_', ' ')}: {change}" for name, change in rows.items())
    return load_study(write_study(folder, STUDY.format(rows=text)))


def test_a_row_starts_from_the_cell_of_another_at_its_seed(tmp_path: Path) -> None:
    found = study(
        tmp_path,
        third="{init: {from: second}, training.steps: 3}",
        second="{init: {from: plain}, pretraining: supervised, train: head}",
        plain="{}",
        again="{same_as: plain}",
        other="{init.from: again}",
    )
    cells = {(cell.row, cell.seed): cell for cell in plan_study(found)}
    for seed in (0, 1):
        plain, second, third = (cells[name, seed] for name in ("plain", "second", "third"))
        assert second.config.start == plain.config
        assert third.config.start == second.config
        assert cells["other", seed].config.start == plain.config
        assert third.stage == "fine-tuning"
        again = cell_from(resolved(third.config), "again")
        assert cell_id(again) == third.id
    assert cells["third", 0].id != cells["third", 1].id
    # What a cell starts from is computed too, also where no row asks for it, and once.
    only = unique_cells([cells["third", 0]])
    assert [cell.id for cell in only] == [cells[name, 0].id for name in ("third", "second", "plain")]
    assert len(unique_cells(cells.values())) == 8
    assert only[1].title == "study/third/seed0/start"


def test_the_change_of_a_row_names_what_it_starts_from(tmp_path: Path) -> None:
    found = study(tmp_path, plain="{}", tuned="{init: {from: plain}}")
    (change,) = describe_differences(found).rows["tuned"]
    assert str(change) == f"init off → on (from {cell_id(found.rows[0].cell)})"


REFUSED = {
    "no such row": ({"plain": "{}", "tuned": "{init: {from: plian}}"}, r"there is no row 'plian' .*plain"),
    "itself": ({"tuned": "{init: {from: tuned}}"}, "a row cannot start from itself: tuned -> tuned"),
    "a circle": (
        {"one": "{init: {from: two}}", "two": "{init: {from: one}, training.steps: 3}"},
        "a row cannot start from itself: one -> two -> one",
    ),
    "another backbone": (
        {"plain": "{}", "tuned": "{init: {from: plain}, backbone.width: 0.5}"},
        r"init\.from has another backbone \(.*width 0.*\) than this cell \(.*width 0\.5",
    ),
    "nothing is trained": (
        {"plain": "{}", "tuned": "{init: {from: plain}, pretraining: none}"},
        "init has no effect with pretraining: none",
    ),
    "nothing of it is trained": ({"tuned": "{train: []}"}, "train is empty: name modules of the backbone"),
    "another key": ({"plain": "{}", "tuned": "{init: {form: plain}}"}, "unknown key 'form'|unknown key.*from"),
    "nowhere": ({"plain": "{}", "tuned": "{init: {parts: backbone}}"}, r"init\.from|from.*required"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_started_from_is_refused(case: str, tmp_path: Path) -> None:
    rows, message = REFUSED[case]
    with pytest.raises(ConfigError, match=message) as caught:
        study(tmp_path, **rows)
    assert "study.yaml" in str(caught.value)


def test_a_resolved_cell_names_no_row(tmp_path: Path) -> None:
    data = resolved(study(tmp_path, plain="{}").rows[0].cell) | {"init": {"from": "plain"}}
    file = tmp_path / "cell.yaml"

    file.write_text(yaml.safe_dump(data))
    with pytest.raises(ConfigError, match=r"cell\.yaml:\d+: init\.from: only a study has rows to start from"):
        load_cell(file)


def test_each_fold_starts_from_its_own(tmp_path: Path) -> None:
    text = """
title: "Folds"
base: recipe
datasets: {mine: {name: folder, split: folds, folds: 2}}
data: mine
rows: {plain: {}, tuned: {init: {from: plain}, training.steps: 3}}
seeds: [0]
evaluations: [linear/mine]
"""
    cells = plan_study(load_study(write_study(tmp_path, text)))
    starts = [cell.start for cell in cells if cell.row == "tuned"]
    assert [(one.fold, one.key) for one in starts if one is not None] == [(cell.fold, cell.key) for cell in cells[:2]]
    with pytest.raises(ConfigError, match=r"it would start from all folds of mine at once"):
        plan_study(load_study(write_study(tmp_path, text.replace("training.steps: 3", "data: synthetic"))))


def test_it_is_the_same_cell_whoever_asks(tmp_path: Path) -> None:
    """The id of a cell covers what it starts from, and neither study nor row."""
    one = study(tmp_path / "one", plain="{}", tuned="{init: {from: plain}}")
    two = study(tmp_path / "two", first="{}", second="{init: {from: first}}", third="{init: {from: second}}")
    keys = [[Cell(row.cell).key for row in found.rows] for found in (one, two)]
    assert keys[0] == keys[1][:2]
    assert len(set(keys[1])) == 3
