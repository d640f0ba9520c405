"""Which studies get rows of representations that nothing was learned for, and what these are."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.errors import ConfigError
from raysl.planning.plan_study import plan_study
from raysl.planning.study import Study, load_study
from raysl.planning.trivial import TRIVIAL
from tests.planning.studies import SEARCH, STUDY, write_study

REAL = STUDY.replace("[linear/synthetic, retrieval/synthetic]", "[linear/folder, retrieval/folder, finetune/folder]")


def load(folder: Path, text: str) -> Study:
    return load_study(write_study(folder, text, trivial=True))


def test_a_study_on_files_has_two_lines_below_its_rows_of_what_reads_features(tmp_path: Path) -> None:
    study = load(tmp_path, REAL)
    assert [row.name for row in study.trivial] == list(TRIVIAL)
    assert {row.name for row in study.trivial}.isdisjoint(row.name for row in study.rows)
    for row in study.trivial:
        assert row.cell.backbone.name == TRIVIAL[row.name].backbone
        assert (row.cell.pretraining, row.cell.clip.input) == ("none", "rgb")
        assert [one.label for one in row.evaluations] == ["linear/folder", "retrieval/folder"]
    cells = [cell for cell in plan_study(study) if cell.row in TRIVIAL]
    assert [(cell.row, cell.seed) for cell in cells] == [(name, 0) for name in TRIVIAL]


def test_rendered_videos_need_none_and_so_says_a_study_that_wants_none(tmp_path: Path) -> None:
    assert load(tmp_path, STUDY).trivial == ()
    assert load(tmp_path, REAL + "trivial: false\n").trivial == ()
    assert load(tmp_path, REAL.replace("linear/folder, retrieval/folder, ", "")).trivial == ()


def test_the_clip_is_the_rows_in_rgb(tmp_path: Path) -> None:
    differences = load(tmp_path, REAL + "clip: {input: difference, frames: 6}\n")
    assert [(row.cell.clip.input, row.cell.clip.frames) for row in differences.trivial] == [("rgb", 6)] * 2
    assert differences.rows[0].cell.clip.input == "difference"


def test_studies_that_differ_in_their_objective_share_these_cells(tmp_path: Path) -> None:
    one, other = (
        load(tmp_path / str(t), REAL + f"objective.contrastive.temperature: {t}\nbackbone.width: 0.125\n")
        for t in (0.2, 0.3)
    )
    ids = [[cell.id for cell in plan_study(study) if cell.row in TRIVIAL] for study in (one, other)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2


def test_the_layer_that_is_trained_on_frozen_features_is_measured_too(tmp_path: Path) -> None:
    text = REAL.replace("[linear/folder, retrieval/folder, finetune/folder]", "[linear_trained/folder]")
    for row in load(tmp_path, text).trivial:
        (evaluation,) = row.evaluations
        assert evaluation.label == "linear_trained/folder"


def test_a_search_on_files_has_them(tmp_path: Path) -> None:
    text = SEARCH.replace("[linear/synthetic, retrieval/synthetic]", "[linear/folder]")
    assert len(load(tmp_path, text + "data: folder\n").trivial) == 2


def test_a_row_cannot_take_their_name(tmp_path: Path) -> None:
    text = REAL.replace("  warm:", "  'mean colour, nothing learned':")
    with pytest.raises(ConfigError, match=r"rows\.mean colour, nothing learned.*trivial: false"):
        load(tmp_path, text)
    assert load(tmp_path, text + "trivial: false\n").rows[2].name == "mean colour, nothing learned"
