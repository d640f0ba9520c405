"""Whether each task learns: the rows, what is asked of held-out videos, and the report that is checked in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from raysl.config.cell import CellConfig
from raysl.config.component import names
from raysl.config.yaml_reader import read_tree
from raysl.data.places import Places
from raysl.data.source import VideoSource, open_source
from raysl.objectives.build import build_objective
from raysl.objectives.tasks.one_clip_term import OneClipTask
from tests.cells import tiny_cell

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "benchmarks"))  # a benchmark is a script, which finds its own modules beside it

import tasks_learn  # noqa: E402
import tasks_learn_report as report  # noqa: E402

ROWS = tasks_learn.read_rows()
REPORT = PROJECT / "reports" / "tasks_learn"
SMALL = {"name": "synthetic", "classes": 2, "train_per_class": 4, "test_per_class": 2, "frames": 24}


def small_cell(task: str, **changes: Any) -> CellConfig:
    only: dict[str, Any] = {"objective.contrastive": None, "objective.pretext": {task: {}}, "training.steps": 1}
    return tiny_cell({"data": SMALL, "clip.resize": 32, **only, **changes})


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    return Places({}, tmp_path_factory.mktemp("synthetic"), cache_gigabytes=1.0)


def source_of(cell: CellConfig, places: Places) -> VideoSource:
    return open_source(cell.data, places, resize=cell.clip.resize)


def test_every_task_has_a_row() -> None:
    assert {row.task for row in ROWS} == set(names("pretext task"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_is_its_task_alone_at_the_size_of_laptop(row: tasks_learn.Row) -> None:
    laptop = read_tree(PROJECT / "search_spaces" / "scales" / "laptop.yaml").data["set"]
    cell = row.cell(seed=2, steps=7)
    assert (cell.training.seed, cell.training.steps, cell.data.name) == (2, 7, "synthetic")
    assert cell.objective.contrastive is None
    assert (cell.clip.frames, cell.clip.size) == (laptop["clip.frames"], laptop["clip.size"])
    assert cell.backbone.options.width == laptop["backbone.width"]


def test_only_test_videos_are_asked_about_each_in_every_draw(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = small_cell("rotation")
    source = source_of(cell, places)
    asked: list[list[int]] = []
    original = tasks_learn._asked

    def spy(objective: Any, batch: Any) -> Any:
        asked.append(sorted(batch.views["rotation"].video.tolist()))
        return original(objective, batch)

    monkeypatch.setattr(tasks_learn, "_asked", spy)
    objective = build_objective(cell, range(8), 1)
    list(tasks_learn.held_out(objective, cell, source))
    assert asked == [[video.index for video in source.readable("test")]] * tasks_learn.DRAWS
    assert not objective.training


@pytest.mark.parametrize("right", [True, False])
def test_what_answers_right_scores_one_and_what_always_says_the_same_its_rate(
    right: bool, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = small_cell("rotation")

    def questions(self: OneClipTask, features: Any, batch: Any) -> Any:
        answer = batch.targets["rotation/rotation"]
        said = answer if right else torch.full_like(answer, 2)
        return [(torch.nn.functional.one_hot(said, 4).float(), answer)]

    asked = list(tasks_learn.held_out(build_objective(cell, range(8), 1), cell, source_of(cell, places)))
    answers = torch.cat([one.answers for one in asked]).tolist()
    monkeypatch.setattr(tasks_learn, "trained", lambda cell, source: build_objective(cell, range(8), 1))
    monkeypatch.setattr(OneClipTask, "questions", questions)
    found = tasks_learn.measure("a row", cell, places)
    assert found.score == pytest.approx(1.0 if right else answers.count(2) / len(answers))
    assert found.trivial == pytest.approx(max(map(answers.count, set(answers))) / len(answers))
    assert (found.questions, found.classes) == (4 * tasks_learn.DRAWS, 4)


def test_a_regression_is_measured_by_its_squared_error(places: Places) -> None:
    temporal = {"augment.temporal": {"buffer_frames": 4, "max_rate": 2.0}}
    found = tasks_learn.measure("a row", small_cell("playback_regression", **temporal), places)
    assert (found.classes, found.questions) == (0, 2 * 4 * tasks_learn.DRAWS)
    assert 0.2 / 12 < found.trivial < 4 / 12  # the variance of U(1, 2) is 1 / 12
    assert found.score > 0


def test_the_same_seed_trains_and_measures_the_same(places: Places) -> None:
    one, again, other = (
        tasks_learn.measure("a row", small_cell("rotation", **{"training.seed": seed}), places) for seed in (0, 0, 1)
    )
    assert (one.score, one.trivial) == (again.score, again.trivial)
    assert (one.score, one.trivial) != (other.score, other.trivial)


def made(*scores: float, row: str = "rotation", classes: int = 4, trivial: float = 0.3) -> list[report.Measured]:
    fixed: dict[str, Any] = {
        "task": row,
        "steps": 5,
        "batch_size": 4,
        "questions": 8,
        "cpu_seconds": 30.0,
        "seconds": 60.0,
    }
    return [
        report.Measured(row=row, seed=seed, score=score, classes=classes, trivial=trivial, **fixed)
        for seed, score in enumerate(scores)
    ]


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        (made(0.8, 0.9, 0.85), True),
        (made(0.3, 0.9, 0.5), False),  # 0.57 +- 0.76
        (made(0.8, 0.9), None),
        (made(0.29, 0.29, 0.29), False),
        (made(1.0, 1.0, 1.0), True),
        (made(0.1, 0.12, 0.11, classes=0), True),
        (made(0.29, 0.31, 0.3, classes=0), False),
    ],
)
def test_a_row_has_learned_where_its_interval_excludes_the_trivial_answer(
    ours: list[report.Measured], expected: bool | None
) -> None:
    assert report.learned(ours) is expected


def test_the_table_says_what_was_measured_and_csv_keeps_every_digit(tmp_path: Path) -> None:
    ours = [*made(0.8, 0.9, 0.85), *made(1 / 3, 0.29, 0.31, row="a regression", classes=0)]
    report.write_csv(tmp_path / "table.csv", ours)
    assert report.read_csv(tmp_path / "table.csv") == ours
    text = report.render(ours, {"rotation": "turned", "a regression": None})
    assert "85.0 ± 12.4 (3)" in text
    assert "72.6" in text  # 85 - 4.303 * 5 / sqrt(3)
    assert "- rotation: turned" in text
    assert "6 trainings, 3.0 minutes of one core (6.0 by the clock" in text
    assert [
        line.split("|")[-2].strip() for line in text.splitlines() if line.startswith(("| rotation", "| a reg"))
    ] == [
        "yes",
        "**no**",
    ]


def test_the_checked_in_table_follows_from_its_numbers() -> None:
    measured = report.read_csv(REPORT / "table.csv")
    assert {one.task for one in measured} == set(names("pretext task"))
    assert (REPORT / "table.md").read_text() == report.render(measured, {row.name: row.note for row in ROWS})
