"""What a benchmark's figure says of itself, and what `make bench` makes of all."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
BENCHMARKS = PROJECT / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))  # a benchmark is a script, which finds its own modules beside it

from figures import Figure  # noqa: E402
from sizes import MOST_CALLS, Measure, bound, cost, slope  # noqa: E402

from benchmarks.__main__ import benchmarks, read, table  # noqa: E402


@pytest.mark.parametrize(
    ("ours", "bounds", "verdict"),
    [
        (9.0, {"goal": 8.0, "floor": 4.0}, "met"),
        (5.0, {"goal": 8.0, "floor": 4.0}, "above floor"),
        (3.0, {"goal": 8.0, "floor": 4.0}, "missed"),
        (3.0, {"goal": 8.0}, "missed"),
        (3.0, {"floor": 2.0}, "met"),
        (3.0, {}, ""),
        (1.0, {"goal": 1.1, "floor": 1.3, "better": "less"}, "met"),
        (1.2, {"goal": 1.1, "floor": 1.3, "better": "less"}, "above floor"),
        (1.4, {"goal": 1.1, "floor": 1.3, "better": "less"}, "missed"),
    ],
)
def test_a_ratio_is_held_to_goal_and_floor(ours: float, bounds: dict[str, Any], verdict: str) -> None:
    figure = Figure("ours vs peer", ours, 1.0, "s", **bounds)
    assert figure.verdict == verdict
    assert json.loads(figure.line())["verdict"] == verdict


def test_a_floor_is_no_harder_than_the_goal() -> None:
    for bounds in ({"goal": 2.0, "floor": 3.0}, {"goal": 2.0, "floor": 1.0, "better": "less"}):
        with pytest.raises(ValueError, match="the floor cannot be harder"):
            Figure("ours vs peer", 1.0, 1.0, "s", **bounds)


def test_the_table_has_every_figure_with_its_bounds() -> None:
    figure = Figure("loader vs decord", 192.0, 60.0, "clips/s/core", goal=2.0, floor=1.5)
    values = read(figure.line() + "\n")
    assert values is not None
    assert read("a line of a benchmark\n") is read('{"name": "of another kind"}\n') is None
    shown = table([("loader", [figure])]).splitlines()
    assert shown[-2] == "loader"
    assert shown[-1].split() == [
        "ok",
        "loader",
        "vs",
        "decord",
        "192",
        "60",
        "clips/s/core",
        "3.20",
        ">=",
        "2",
        ">=",
        "1.5",
    ]


def test_every_benchmark_has_a_short_form() -> None:
    found = {path.stem: path.read_text() for path in benchmarks()}
    scripts = {path.stem for path in BENCHMARKS.glob("*.py") if '__name__ == "__main__"' in path.read_text()}
    assert set(found) == scripts - {"__main__"}, "each prints figures"
    assert [name for name, text in found.items() if '"--quick"' not in text] == []


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_the_exponent_is_that_of_the_size(exponent: float) -> None:
    sizes = [10, 100, 1000]
    assert slope(sizes, [3 * size**exponent for size in sizes]) == pytest.approx(exponent)


def test_n_log_n_is_a_number_at_given_sizes() -> None:
    assert bound("n log n", [100, 10_000]) == 1.15
    assert bound(1.2, [1, 2]) == 1.2
    assert bound(None, [1, 2]) is None


def test_a_measure_prepares_each_call_in_a_folder_of_its_own(tmp_path: Path) -> None:
    prepared = []

    def prepare(size: int, folder: Path) -> Any:
        assert list(folder.iterdir()) == []
        prepared.append(size)
        return lambda: {"requests": 3 * size}

    found = cost(Measure(prepare, "cells", (2, 40), (2, 4)), 40, tmp_path / "new")
    assert prepared == [2, *MOST_CALLS * [40]]
    assert found.counted == {"requests": 120.0}
    assert found.megabytes > 1
