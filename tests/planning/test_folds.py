"""Folds of a data set as the parts of a row."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.config.cell import Slot
from raysl.config.component import Chosen
from raysl.config.identity import cell_id, evaluation_id
from raysl.config.resolve import choose as resolve_choice
from raysl.config.yaml_reader import Tree
from raysl.data.catalogs.folder import FolderOptions
from raysl.errors import ConfigError
from raysl.planning.folds import Part, folds_of, parts_of
from raysl.planning.plan_study import plan_study
from raysl.planning.study import load_study
from tests.planning.studies import SEARCH, write_study

STUDY = """
title: "Folds"
base: recipe
datasets:
  mine: {name: folder, split: folds, folds: 3}
  other: {name: folder, split: leave_one_group_out, folds: 2, group: '^([a-z])'}
data: mine
rows: {plain: {}, random: {pretraining: none}, fixed: {data: mine/2}}
seeds: [0]
evaluations: [linear/mine, retrieval/other, linear/synthetic]
"""


def parts(folder: Path, row: int, text: str = STUDY) -> list[Part]:
    found = load_study(write_study(folder, text)).rows[row]
    return parts_of(found.cell, found.evaluations)


def folds(part: Part) -> tuple[int | None, list[tuple[str, int | None]]]:
    cell, evaluations = part
    tested = [(one.label, getattr(one.data.options, "fold", None)) for one in evaluations]
    return cell.data.options.fold, tested


OTHERS = [("retrieval/other", 1), ("retrieval/other", 2), ("linear/synthetic", None)]


def test_folds_of_a_data_set() -> None:
    data = Chosen("data set", "folder", FolderOptions(split="folds", folds=3), "mine")
    assert [fold.options.fold for fold in folds_of(data)] == [1, 2, 3]
    assert all(fold.bound_name == "mine" and fold.options.folds == 3 for fold in folds_of(data))
    for whole in (Chosen("data set", "folder", FolderOptions()), folds_of(data)[0]):
        assert folds_of(whole) == [whole]


def test_each_fold_is_pretrained_and_tested_by_itself(tmp_path: Path) -> None:
    found = parts(tmp_path, 0)
    assert [folds(part) for part in found] == [(fold, [("linear/mine", fold), *OTHERS]) for fold in (1, 2, 3)]
    assert len({cell_id(cell) for cell, _ in found}) == 3
    assert len({evaluation_id(evaluations[0]) for _, evaluations in found}) == 3
    assert all(one.data.bound_name == one.label.split("/")[1] for _, evaluations in found for one in evaluations)


def test_random_weights_are_one_part_that_is_tested_on_every_fold(tmp_path: Path) -> None:
    (part,) = parts(tmp_path, 1)
    assert folds(part)[1] == [*(("linear/mine", fold) for fold in (1, 2, 3)), *OTHERS]


@pytest.mark.parametrize("label", ["linear/mine", "linear/mine/2"])
def test_a_chosen_fold_is_one_part(tmp_path: Path, label: str) -> None:
    text = STUDY.replace("[linear/mine,", f"[{label},").replace("data: mine\n", "data: mine/2\n")
    (part,) = parts(tmp_path, 0, text.replace(", fixed: {data: mine/2}", ""))
    assert folds(part) == (2, [(label, 2), *OTHERS])


@pytest.mark.parametrize(
    ("data", "label", "row"),
    [("mine", "linear/mine/3", "{}"), ("mine/1", "linear/mine/3", "{}"), ("mine", "linear/mine", "{data.folds: 4}")],
)
def test_no_backbone_is_tested_on_what_it_was_trained_on(tmp_path: Path, data: str, label: str, row: str) -> None:
    text = STUDY.replace("data: mine\n", f"data: {data}\n").replace("[linear/mine,", f"[{label},")
    with pytest.raises(ConfigError, match=rf"evaluation {label}: it would test on videos of mine that the backbone"):
        parts(tmp_path, 0, text.replace("plain: {}", f"plain: {row}"))


def test_a_search_needs_a_fold(tmp_path: Path) -> None:
    text = SEARCH + "datasets: {mine: {name: folder, split: folds, folds: 3}}\ndata: mine\n"
    with pytest.raises(
        ConfigError, match=r"study\.yaml:\d+: data: a search trains and scores on one fold.* data: mine/1"
    ):
        load_study(write_study(tmp_path, text))
    assert load_study(write_study(tmp_path, text.replace("data: mine", "data: mine/1"))).search is not None


@pytest.mark.parametrize("name", ["ucf101", "hmdb51"])
def test_all_official_splits_are_folds(name: str, tmp_path: Path) -> None:
    text = f"""
title: "Splits"
base: recipe
rows: {{plain: {{data: synthetic}}, own: {{data: {name}/all}}, random: {{pretraining: none}}}}
seeds: [0]
evaluations: [linear/{name}/all]
"""
    cells = plan_study(load_study(write_study(tmp_path, text)))
    by_row = {row: [cell for cell in cells if cell.row == row] for row in ("plain", "own", "random")}
    assert [len(found) for found in by_row.values()] == [1, 3, 1]
    for row in ("plain", "random"):
        (cell,) = by_row[row]
        tested = [(one.data.options.split, one.data.options.fold) for one in cell.evaluations]
        assert tested == [(1, 1), (2, 2), (3, 3)]
        assert {one.label for one in cell.evaluations} == {f"linear/{name}/all"}
        single = [one.model_copy(update={"data": choose(f"{name}/{split}")}) for one, split in
                  zip(cell.evaluations, (1, 2, 3), strict=True)]  # fmt: skip
        assert list(map(evaluation_id, single)) == list(map(evaluation_id, cell.evaluations)), "the same as by itself"
    assert [cell.title for cell in by_row["own"]] == [f"study/own/seed0/fold{split}" for split in (1, 2, 3)]
    assert [[one.data.options.split for one in cell.evaluations] for cell in by_row["own"]] == [[1], [2], [3]]
    with pytest.raises(ConfigError, match="it would test on videos"):
        plan_study(load_study(write_study(tmp_path / "first", text.replace("synthetic", name))))


def choose(written: str) -> Chosen:
    return resolve_choice(Slot("data set"), written, Tree({}), ())
