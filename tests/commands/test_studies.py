"""`raysl studies`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.planning.studies import STUDY, write_study
from tests.test_cli import raysl


def lines_of(*arguments: str) -> list[list[str]]:
    """The cells of the printed table, line by line."""
    done = raysl("studies", *arguments)
    assert done.returncode == 0, done.stderr
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if "│" in line]


def test_a_study_with_its_paper_table_and_trainings() -> None:
    (name, paper, table, cells, first), *others = lines_of("taco/table1_single_tasks")
    assert (name, paper, cells) == ("taco/table1_single_tasks", "TaCo", "30")
    assert table.startswith("Table 1: ")
    lines = [first, *(line[-1] for line in others if line[-1])]
    assert "27 pretrainings: 200 epochs of kinetics400" in lines, "nine rows at three seeds"
    assert sum(int(line.split()[0]) for line in lines if "fine-tunings" in line) == 60, "ten rows on two sets"


def test_videos_are_counted_where_no_data_is_needed_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path, STUDY, name="steps")
    (line,) = lines_of("steps.yaml")
    assert line == ["steps.yaml", "–", "A test", "6", "4 pretrainings: 4 steps of 8, synthetic (128 videos)"]
    write_study(tmp_path, STUDY + "training: {steps: null, epochs: 3}\n", name="epochs")
    (line,) = lines_of("epochs.yaml")
    assert line[-1] == "4 pretrainings: 3 epochs of synthetic (192 videos)", "4 trainings, 3 times 16 videos"


def test_a_search_says_how_much_it_tries() -> None:
    (line, *_) = lines_of("search/ucf101")
    assert line[-1].startswith("at most 48 trials of ")


@pytest.mark.slow
def test_without_names_every_shipped_study_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from raysl.config.shipped import shipped_studies

    monkeypatch.chdir(tmp_path)
    assert {line[0] for line in lines_of("--scale", "smoke") if line[1]} == set(shipped_studies())
