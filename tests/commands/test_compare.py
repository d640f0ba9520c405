"""``raysl compare``."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl import results
from raysl.commands.inputs import Planned, load_studies
from raysl.results import NO_DATA
from tests.commands.stored import evaluate, stored
from tests.conftest import empty_folder
from tests.planning.studies import write_study
from tests.test_cli import raysl


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_study(tmp_path)


@pytest.fixture
def planned(study: Path) -> list[Planned]:
    return load_studies([study], None, [])


def name(planned: list[Planned], row: str, seed: int, data: str = "data0000") -> str:
    (cell,) = [cell for cell in planned[0].cells if (cell.row, cell.seed) == (row, seed)]
    return f"{cell.id}-{data if cell.pretrains else NO_DATA}"


@pytest.mark.parametrize("where", ["disk", pytest.param("bucket", marks=pytest.mark.slow)])
def test_what_differs_and_nothing_else(
    where: str, study: Path, planned: list[Planned], request: pytest.FixtureRequest
) -> None:
    storage = "results" if where == "disk" else empty_folder("s3", request.getfixturevalue("s3_address"))
    stored(planned, storage)
    one, two = name(planned, "plain", 0), name(planned, "warm", 0)
    done = raysl("compare", one, two.partition("-")[0][:8], "--storage", storage)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"A: {one}: done\nB: {two}: done\n")
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if "│" in line]
    assert cells == [
        ["objective.contrastive.temperature", "0.1", "0.5"],
        ["linear/synthetic", "top1", "50.00", "70.00", "+20.00"],
        ["retrieval/synthetic", "R@1", "50.00", "70.00", "+20.00"],
        ["minutes", "3.5", "5.5"],
        ["commit", f"{2:040x}", f"{4:040x}"],
    ]
    assert "results: 2 of equal value not shown" in done.stdout


def test_all_shows_what_is_equal(study: Path, planned: list[Planned]) -> None:
    stored(planned, "results")
    given = ("compare", "study/plain/seed0", "warm/seed0", "--study", study)
    assert "r3d_18" not in raysl(*given).stdout
    done = raysl(*given, "--all")
    for equal in ("backbone.name", "linear/synthetic.protocol.name", "packages.torch", "hardware.cpu", "other"):
        assert f"│ {equal} " in done.stdout, equal
    assert "(study/plain/seed0): done" in done.stdout
    same = raysl("compare", "plain/seed0", "plain/seed0", "--study", study).stdout
    assert "A and B are the same cell." in same
    assert "configuration: no difference in" in same


def test_a_cell_that_is_not_one_is_an_error_with_the_candidates(study: Path, planned: list[Planned]) -> None:
    stored(planned[:1], "results")
    here, there = name(planned, "plain", 0), name(planned, "plain", 0, "other000")
    stored(planned, "results", "other000")
    known = ("--study", study)
    for text in (here.partition("-")[0], "plain/seed0"):
        done = raysl("compare", text, here, *known)
        assert done.returncode == 2
        assert f"has 2 such cells: {here} (study/plain/seed0); {there} (study/plain/seed0); give one" in done.stderr
    assert "did you mean 'plain/seed0'?" in raysl("compare", "plian/seed0", here, *known).stderr
    done = raysl("compare", "plain/seed0", here)
    assert "has 10 cells, and none is called so; titles such as study/row/seed0 are read where --study" in done.stderr
    assert "cell ''" in raysl("compare", "", here).stderr
    assert "--scale and --set are read with --study alone" in raysl("compare", here, here, "--scale", "smoke").stderr


def test_titles_that_runs_have_kept_need_no_study(planned: list[Planned]) -> None:
    store = stored(planned, "results")
    store.save_titles("study", results.titles_of(planned[0].cells, "paper"))
    done = raysl("compare", "plain/seed0", "study/warm/seed0")
    assert done.stdout.startswith(
        f"A: {name(planned, 'plain', 0)} (study/plain/seed0): done\nB: {name(planned, 'warm', 0)} (study/warm/seed0)"
    )
    assert "did you mean 'plain/seed0'?" in raysl("compare", "plian/seed0", "warm/seed0").stderr


def test_a_planned_cell_that_is_not_stored(study: Path, planned: list[Planned]) -> None:
    (Path("results")).mkdir()
    done = raysl("compare", "plain/seed0", "warm/seed0", "--study", study)
    assert f"has no cell {name(planned, 'plain', 0).partition('-')[0]}; raysl status" in done.stderr


def test_failures_and_other_data_are_not_subtracted(study: Path, planned: list[Planned]) -> None:
    store = stored(planned, "results")
    one, two = (store.named(name(planned, row, 0)) for row in ("plain", "warm"))
    linear, retrieval = two.evaluations()
    two.fail_evaluation(linear, "a class has one video", {"label": "linear/synthetic"})
    two.clear_evaluation(retrieval)
    evaluate(two, f"{retrieval.rpartition('-')[0]}-elsewhere", "retrieval/synthetic", 9, {})
    done = raysl("compare", one.name, two.name)
    text = " ".join(done.stdout.split())
    assert "│ linear/synthetic │ │ done │ failed: a class has one video │ │" in text
    assert "on data data0000 │ on data elsewhere │ other videos or labels: not to compare" in text
    assert "│ R@1 │ 50.00 │ 90.00 │ – │" in text


def test_a_broken_file_is_named(study: Path, planned: list[Planned]) -> None:
    store = stored(planned, "results")
    one, two = name(planned, "plain", 0), name(planned, "warm", 0)
    store.named(one).place.write("cell.yaml", b"{")
    done = raysl("compare", one, two)
    assert done.returncode == 1
    assert f"cells/{one}/cell.yaml" in done.stderr
