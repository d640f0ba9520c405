"""Rows times seeds, and equal cells of all studies computed once."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

from raysl.config.cells import Cell, unique_cells
from raysl.config.identity import cell_id
from raysl.planning.plan_study import plan_study, with_seed
from raysl.planning.study import load_study
from raysl.work.site import needed_data
from tests.planning.studies import STUDY, write_study


def test_cells_are_rows_times_seeds_and_seeds_differ_in_nothing_else(tmp_path: Path) -> None:
    cells = plan_study(load_study(write_study(tmp_path)))
    assert [(cell.row, cell.seed) for cell in cells] == [
        (row, seed) for row in ("random", "plain", "warm") for seed in (0, 1)
    ]
    assert len({cell.id for cell in cells}) == 6
    assert cell_id(with_seed(cells[3].config, 0)) == cells[2].id
    assert cells[3].title == "study/plain/seed1"


def test_a_cell_travels_as_it_is(tmp_path: Path) -> None:
    for cell in plan_study(load_study(write_study(tmp_path))):
        again = pickle.loads(pickle.dumps(cell))
        assert again == cell
        assert again.id == cell.id


def test_random_rows_of_two_studies_are_one_cell(tmp_path: Path) -> None:
    one = plan_study(load_study(write_study(tmp_path)))
    text = STUDY.replace("temperature: 0.5", "temperature: 0.7").replace(
        "plain: {}", "plain: {optimizer.weight_decay: 0.5}"
    )
    other = plan_study(load_study(write_study(tmp_path, text, name="other")))
    assert len(one) + len(other) == 12
    unique = unique_cells([*one, *other])
    assert len(unique) == 10, "two seeds of random weights are shared"
    assert [cell.study for cell in unique] == ["study"] * 6 + ["other"] * 4
    assert all(cell.pretrains for cell in unique[6:])


def test_two_rows_that_train_alike_are_computed_once_with_all_their_evaluations(tmp_path: Path) -> None:
    text = STUDY.replace("warm: {objective.contrastive.temperature: 0.5}", "again: {evaluation.linear.c: 0.5}")
    unique = unique_cells(plan_study(load_study(write_study(tmp_path, text))))
    assert len(unique) == 4
    plain = next(cell for cell in unique if cell.row == "plain")
    assert len(plain.evaluations) == 3, "two linear probes that differ, and one retrieval"


def on_root(cell: Cell, name: str) -> Cell:
    """The cell with every data set that is bound to a name."""
    evaluations = [one.model_copy(update={"data": replace(one.data, root_name=name)}) for one in cell.evaluations]
    data = replace(cell.config.data, root_name=name)
    return replace(cell, config=cell.config.model_copy(update={"data": data}), evaluations=tuple(evaluations))


def test_one_configuration_on_two_roots_is_two_cells(tmp_path: Path) -> None:
    text = STUDY.replace("base: recipe", "base: recipe\ndata: folder").replace("/synthetic", "/folder")
    (cell, *_) = (cell for cell in plan_study(load_study(write_study(tmp_path, text))) if cell.pretrains)
    other = on_root(cell, "mine")
    assert other.id == cell.id, "the name of a root enters no id"
    assert len(unique_cells([cell, other])) == 2
    (both,) = unique_cells([cell, replace(cell, evaluations=other.evaluations[:1])])
    assert len(both.evaluations) == 3


def test_a_rendered_set_is_one_under_every_name(tmp_path: Path) -> None:
    (cell, *_) = (cell for cell in plan_study(load_study(write_study(tmp_path))) if cell.pretrains)
    assert len(unique_cells([cell, on_root(cell, "tiny")])) == 1


def test_each_data_set_is_read_once(tmp_path: Path) -> None:
    cells = plan_study(load_study(write_study(tmp_path)))
    assert len(needed_data(cells)) == 1, "pretraining and both evaluations read one data set at one size"
