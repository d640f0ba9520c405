"""Bills: sums, money and what is said of what is not known; and a run's estimate beside the truth."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from raysl import results
from raysl.commands.cost import CostOptions, calibrate_studies, comparison, print_cost
from raysl.commands.inputs import Planned, load_studies
from raysl.commands.terminal import PlainConsole
from raysl.config.cells import unique_cells
from raysl.data.places import Places
from raysl.errors import ConfigError
from raysl.planning.calibration import Measurement, calibration_here, find_calibration
from raysl.planning.cost import Estimates, KnownData, distinct_shapes
from raysl.results import Shelf
from raysl.results.folder import CellState
from raysl.training.provenance import hardware, package_versions
from raysl.work import calibrate as calibrating
from tests.planning.studies import SMALL_RECIPE, STUDY, write_study
from tests.test_cli import raysl

CPU = torch.device("cpu")
HOUR = 3600.0


@pytest.fixture
def planned(tmp_path: Path) -> list[Planned]:
    return load_studies([write_study(tmp_path, STUDY, SMALL_RECIPE)], None, [])


def bill(planned: list[Planned], places: Places, options: CostOptions) -> str:
    console = PlainConsole(record=True, width=200)
    print_cost(planned, places, find_calibration(places, CPU), Estimates(KnownData(places)), options, console)
    return console.export_text()


def measure(planned: list[Planned], places: Places, seconds: float, disturbed: bool = False) -> None:
    """One step, and all else for nothing."""
    calibration = calibration_here(places, CPU)
    estimates = Estimates(KnownData(places))
    costs = [estimates.of(cell) for item in planned for cell in item.cells]
    for shape in distinct_shapes(costs):
        taken = seconds if shape.kind == "training" else 0.0
        calibration.put(shape, Measurement({shape.kind: taken}, disturbed=disturbed))


def test_hours_and_money_follow_from_steps(planned: list[Planned], tmp_path: Path) -> None:
    places = Places({}, tmp_path / "cache")
    measure(planned, places, HOUR)
    text = bill(planned, places, CostOptions(width=3, price_per_hour=2.5))
    assert re.search(r"plain +│ +2 │ +4 │ +64 │ .* │ +4.0 h │ +4.0 h │ +0 s", text), text
    assert "6 cells, 16.0 h of workers (40.00 at 2.5 an hour)" in text, "four cells of four steps of an hour"
    assert "6 cells, 3 at once: 8.0 h, the longest 4.0 h" in text, "two rounds, each of one seed"
    assert "decoded frames those of synthetic, which was not read here yet" in text
    assert "not measured" not in text


def test_what_loader_processes_may_save_is_said(planned: list[Planned], tmp_path: Path) -> None:
    places = Places({}, tmp_path / "cache")
    given = load_studies([tmp_path / "study.yaml"], None, ["training.loader_workers=1"])
    calibration, estimates = calibration_here(places, CPU), Estimates(KnownData(places))
    costs = [estimates.of(cell) for item in (*planned, *given) for cell in item.cells]
    for shape in distinct_shapes(costs):
        taken = {"training": HOUR, "loading": HOUR / 16}.get(shape.kind, 0.0)
        calibration.put(shape, Measurement({shape.kind: taken}))
    text = bill(planned, places, CostOptions())
    assert "6 cells, 24.0 h of workers" in text, "four cells of four steps, each of an hour and of eight videos"
    assert "up to 8.0 h of the workers' time may be saved by loader processes" in text
    text = bill(given, places, CostOptions())
    assert "6 cells, 16.0 h of workers" in text
    assert "may be saved" not in text


def test_studies_that_share_cells_pay_for_them_once(planned: list[Planned], tmp_path: Path) -> None:
    places = Places({}, tmp_path / "cache")
    other = write_study(tmp_path, STUDY.replace("0.5}", "0.7}"), SMALL_RECIPE, name="other")
    both = [*planned, *load_studies([other], None, [])]
    measure(both, places, HOUR)
    text = bill(both, places, CostOptions())
    assert "asked for: 12 cells, 32.0 h of workers; without what they share: 8 cells, 24.0 h of workers" in text


def test_what_is_not_measured_is_said_and_not_guessed(planned: list[Planned], tmp_path: Path) -> None:
    text = bill(planned, Places({}, tmp_path / "cache"), CostOptions(price_per_hour=3.0))
    assert "asked for: 6 cells, none with an estimate" in text
    assert re.search(r"plain +│ +2 │ +4 │ +64 │ .* │ +\? │ +\? │ +\?", text), text
    assert "not measured: step of 8 videos, contrastive, 4 frames of 32²" in text
    assert "raysl calibrate, with the same studies and options, measures what is missing" in text
    assert "at once" not in text


def test_times_that_are_too_long_are_said_to_be(planned: list[Planned], tmp_path: Path) -> None:
    places = Places({}, tmp_path / "cache")
    measure(planned, places, HOUR, disturbed=True)
    assert re.search(r"5 shapes are said to take too long: .* --again", bill(planned, places, CostOptions()))


def test_a_negative_price_is_refused() -> None:
    with pytest.raises(ConfigError, match="--price-per-hour -1"):
        CostOptions(price_per_hour=-1)


def test_options_of_the_bill_need_the_bill(tmp_path: Path) -> None:
    done = raysl("plan", write_study(tmp_path), "--width", "3")
    assert (done.returncode, "--width: is read with --cost alone" in done.stderr) == (2, True)


@pytest.mark.slow
def test_a_run_is_compared_with_what_was_measured(
    planned: list[Planned], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrating, "SECONDS", 0.0)
    study, cache, store = planned[0].study.path, tmp_path / "cache", tmp_path / "store"
    options = ("--cache", cache, "--set", "training.threads=1")
    run = ("run", study, *options, "--local", "--storage", store, "--reports", tmp_path / "reports")

    done = raysl(*run, "--set", "seeds=[0]")
    assert done.returncode == 0, done.stderr
    assert "estimated" not in done.stdout, "nothing was measured"

    first = raysl("calibrate", study, *options)
    assert first.returncode == 0, first.stderr
    assert first.stdout.count("measured  ") == 5
    again = raysl("calibrate", study, *options)
    assert (again.stdout.count("measured  "), again.stdout.count("known     ")) == (0, 5)

    anew = raysl("calibrate", study, *options, "--again")
    assert anew.stdout.count("measured  ") == 5

    plan = raysl("plan", study, *options, "--cost", "--storage", store)
    assert f"left to compute in {store}: 3 cells, " in plan.stdout, "those of the second seed"
    assert "not measured" not in plan.stdout
    assert "estimate" not in plan.stdout

    done = raysl(*run)
    assert re.search(r"cells: estimated \S+ s, took \S+ s \(\d+ %\)\n", done.stdout), done.stdout
    assert "estimated" not in raysl(*run).stdout, "nothing was computed"


def test_cells_without_an_estimate_are_counted(planned: list[Planned], tmp_path: Path) -> None:
    places, store = Places({}, tmp_path / "cache"), results.open(tmp_path / "store")
    took = []
    for cell in unique_cells(planned[0].cells):
        folder = store.named(f"{cell.id}-here")
        attempt = {"hardware": [hardware(CPU)], "threads": 1}
        folder.write_provenance({"packages": package_versions(), "attempts": [attempt]})
        took.append((replace(Shelf(store).find(cell), folder=folder, state=CellState("missing")), 8 * HOUR))
    assert comparison(took, places) is None
    measure(planned, places, HOUR)
    line = comparison(took, places)
    assert line == "cells: estimated 16.0 h, took 32.0 h (200 %); 4 of 6 cells, the others have no estimate"
    elsewhere = {"hardware": [hardware(CPU) | {"gpu": "NVIDIA H100"}], "threads": 1}
    for found, _ in took:
        assert found.folder is not None
        found.folder.write_provenance({"packages": package_versions(), "attempts": [elsewhere]})
    assert comparison(took, places) is None, "nothing was measured on the machine that computed them"


@pytest.mark.slow
def test_a_shape_that_cannot_be_measured_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrating, "SECONDS", 0.0)
    text = SMALL_RECIPE.replace("framework: simclr", "framework: tests.training.failing_simclr, step: 1")
    failing = load_studies([write_study(tmp_path, STUDY, text)], None, [])
    console = PlainConsole(record=True, width=200)
    assert calibrate_studies(failing, Places({}, tmp_path / "cache"), CPU, 1, console) == 1
    said = console.export_text()
    assert re.search(r"failed +step of 8 videos.*: the loss is nan at step 1", said), said
    assert "measured  features of 5 clips" in said
