"""Axes of a search: what is drawn, what a row would write of it, and one clear error for what is none."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from raysl.config.yaml_reader import parse_tree
from raysl.errors import ConfigError
from raysl.planning.axes import Axis, Point, RandomSuggestions, changes, suggest
from raysl.planning.read_axes import read_axes

AXES = """
framework: {choice: [simclr, moco, null]}
rate: {loguniform: [0.001, 10]}
flip: {uniform: [0.2, 0.4], when: {framework: [simclr, moco]}}
queue: {integers: [3, 5], when: {framework: moco}}
tasks: {subsets: {speed: {weight: 0.5}, order:}}
tasks.speed.clips: {choice: {few: 2, many: [8, 9]}, when: {tasks: speed}}
deep: {choice: [a, b], when: {tasks.speed.clips: many, queue_kind: x}}
"""
AXES = AXES.replace("deep:", "queue_kind: {choice: [x, y], when: {framework: moco}}\ndeep:")


def axes_of(text: str = AXES) -> tuple[Axis, ...]:
    """Axes, one a line; the first is on line 2 of ``study.yaml``."""
    lines = "".join(f"\n  {line}" for line in text.strip().splitlines())
    return read_axes(parse_tree(f"axes:{lines}\n", "study.yaml"))


def drawn(seed: int, **fixed: str | int | float | bool) -> Point:
    return suggest(axes_of(), RandomSuggestions(np.random.default_rng(seed), fixed))


def test_suggestions_stay_in_bounds_and_reach_everything() -> None:
    points = [drawn(seed) for seed in range(300)]
    assert {point["framework"] for point in points} == {"simclr", "moco", "null"}
    rates = [float(point["rate"]) for point in points]
    assert 0.001 <= min(rates) < 0.003 < 3 < max(rates) <= 10
    assert np.median(np.log10(rates)) == pytest.approx(-1, abs=0.4), "uniform is the logarithm"
    flips = [float(point["flip"]) for point in points if "flip" in point]
    assert 0.2 <= min(flips) < 0.21 < 0.39 < max(flips) <= 0.4
    assert {point["queue"] for point in points if "queue" in point} == {3, 4, 5}
    assert {(point["tasks.speed"], point["tasks.order"]) for point in points} == {
        (one, other) for one in (False, True) for other in (False, True)
    }


def test_an_axis_is_open_exactly_where_its_condition_holds() -> None:
    for seed in range(300):
        point = drawn(seed)
        assert ("flip" in point) == (point["framework"] in ("simclr", "moco"))
        assert ("queue" in point) == ("queue_kind" in point) == (point["framework"] == "moco")
        assert ("tasks.speed.clips" in point) == point["tasks.speed"]
        assert ("deep" in point) == (point.get("tasks.speed.clips") == "many" and point.get("queue_kind") == "x")
    assert any("deep" in drawn(seed) for seed in range(300))


def test_what_is_fixed_is_drawn() -> None:
    point = drawn(0, framework="moco", queue=4, rate=2.0, **{"tasks.speed": True, "tasks.order": False})
    assert (point["framework"], point["queue"], point["rate"]) == ("moco", 4, 2.0)
    assert (point["tasks.speed"], point["tasks.order"]) == (True, False)


def test_a_point_is_written_as_a_row() -> None:
    point: Point = {"framework": "null", "rate": 0.0123456, "tasks.speed": True, "tasks.order": False}
    found = changes(axes_of(), {**point, "tasks.speed.clips": "many"})
    assert found == {
        "framework": None,
        "rate": 0.0123,
        "tasks": {"speed": {"weight": 0.5}, "order": None},
        "tasks.speed.clips": [8, 9],
    }
    assert changes(axes_of(), point | {"tasks.order": True})["tasks"] == {"speed": {"weight": 0.5}, "order": {}}
    assert changes(axes_of(), {"queue": 100000, "flip": 0.33333}) == {"queue": 100000, "flip": 0.333}


def test_a_closed_axis_of_subsets_writes_nothing() -> None:
    axes = axes_of("on: {choice: [true, false]}\ntasks: {subsets: [speed, order], when: {on: true}}")
    assert changes(axes, {"on": "False"}) == {"on": False}
    assert changes(axes, {"on": "True", "tasks.speed": False, "tasks.order": False})["tasks"] == {
        "speed": None,
        "order": None,
    }


@pytest.mark.parametrize("bounds", [(0.123456, 0.987654), (0.99951, 0.99999), (1234.5, 1235.5)])
def test_rounding_stays_within_the_bounds(bounds: tuple[float, float]) -> None:
    axes = axes_of(f"rate: {{uniform: [{bounds[0]}, {bounds[1]}]}}")
    for value in (*bounds, sum(bounds) / 2):
        (found,) = changes(axes, {"rate": value}).values()
        assert bounds[0] <= found <= bounds[1]
        assert math.isclose(found, value, rel_tol=0.005)


def test_a_grid_of_numbers_is_told_apart_after_rounding() -> None:
    axes = axes_of("rate: {loguniform: [1e-6, 1]}")
    values = [changes(axes, {"rate": 10**-exponent})["rate"] for exponent in np.linspace(0, 6, 50)]
    assert all(one > other for one, other in pairwise(values))


def test_each_value_and_both_bounds() -> None:
    by_key = {axis.key: axis for axis in axes_of()}
    assert by_key["framework"].each() == [{"framework": "simclr"}, {"framework": "moco"}, {"framework": "null"}]
    assert by_key["tasks"].each() == [{"tasks.speed": True}, {"tasks.order": True}]
    assert by_key["queue"].each() == [{"queue": 3}, {"queue": 5}]
    assert by_key["rate"].each() == [{"rate": 0.001}, {"rate": 10.0}]
    assert by_key["tasks"].parameters == ("tasks.speed", "tasks.order")
    assert (by_key["rate"].shown, by_key["queue"].shown) == ("loguniform 0.001 to 10", "integers 3 to 5")
    assert by_key["tasks.speed.clips"].shown == "choice few, many"


KINDS = "choice, uniform, loguniform, integers, subsets"
BAD = {
    "no distribution": ("{}", rf"give exactly one of {KINDS}, not none"),
    "nothing at all": ("", rf"give exactly one of {KINDS}, not none"),
    "two": ("{choice: [1, 2], uniform: [0, 1]}", r"give exactly one of .*, not choice and uniform"),
    "a text": ("simclr", r"a mapping of keys is expected, not 'simclr'"),
    "an unknown kind": ("{normal: [0, 1]}", r"normal: unknown key \(did you mean 'uniform'"),
    "a misspelt kind": ("{logunifrom: [0, 1]}", r"logunifrom: unknown key \(did you mean 'loguniform'\?\)"),
    "reversed": ("{uniform: [1, 0]}", r"uniform: two numbers, the lower one first, not \[1, 0\]"),
    "equal": ("{integers: [1, 1]}", r"integers: two whole numbers, the lower one first"),
    "three": ("{uniform: [0, 1, 2]}", r"uniform: two numbers"),
    "one": ("{uniform: [0]}", r"uniform: two numbers"),
    "fractions": ("{integers: [0.5, 2]}", r"integers: two whole numbers"),
    "truth": ("{integers: [false, true]}", r"integers: two whole numbers"),
    "truth of numbers": ("{uniform: [false, 2.0]}", r"uniform: two numbers"),
    "text": ("{uniform: ['0', '1']}", r"uniform: two numbers"),
    "infinite": ("{uniform: [0, .inf]}", r"uniform: two numbers"),
    "not a number": ("{uniform: [.nan, 1]}", r"uniform: two numbers"),
    "the logarithm of 0": ("{loguniform: [0, 1]}", r"loguniform: 0 has no logarithm"),
    "the logarithm of less": ("{loguniform: [-1.5, 1]}", r"loguniform: -1.5 has no logarithm"),
    "one choice": ("{choice: [1]}", r"choice: there is nothing to choose from"),
    "no choice": ("{choice: {}}", r"choice: there is nothing to choose from"),
    "no member": ("{subsets: []}", r"subsets: there is nothing to choose from"),
    "a choice twice": ("{choice: [a, b, a]}", r"choice: a value is given twice"),
    "a choice that is no list": ("{choice: simclr}", r"y\.choice: should be a list in brackets or a mapping, not .sim"),
    "members that are no names": ("{subsets: [1, 2]}", r"x\.y\.subsets\.0: should be text \(put it in quotes\), not 1"),
    "an unknown axis": ("{choice: [1, 2], when: {frist: a}}", r"when: 'frist' is no axis .*\(did you mean 'first'\?\)"),
    "a later axis": ("{choice: [1, 2], when: {later: 1}}", r"when: 'later' is no axis that comes before this one"),
    "itself": ("{choice: [1, 2], when: {x.y: 1}}", r"when: 'x.y' is no axis that comes before this one"),
    "an unknown value": (
        "{choice: [1, 2], when: {first: [alpha, betta]}}",
        r"when: 'betta' is no value of first \(did you mean 'beta'\?\)",
    ),
    "no value": ("{choice: [1, 2], when: {first: []}}", r"when: first has no value in an empty list"),
    "a number's value": ("{choice: [1, 2], when: {number: 0.5}}", r"when: number is a number"),
    "a condition that is no mapping": ("{choice: [1, 2], when: first}", r"when.*'first'"),
    "a member that is an axis": ("{choice: [1, 2]}\n  set.a: {choice: [1, 2]}", r"is a member of set too: remove one"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_axis_is_one_error_that_names_file_line_and_axis(case: str) -> None:
    text, message = BAD[case]
    document = f"""axes:
  first: {{choice: [alpha, beta]}}
  number: {{uniform: [0, 1]}}
  set: {{subsets: [a, b]}}
  x.y: {text}
  later: {{choice: [1, 2]}}
"""
    with pytest.raises(ConfigError, match=message) as error:
        read_axes(parse_tree(document, "study.yaml"))
    at = "study.yaml:6: axes.set.a" if "set.a" in text else "study.yaml:5: axes.x.y"
    assert str(error.value).startswith(f"{at}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("when", ["", ", when: {tasks: order}", ", when: {tasks: [speed, order]}"])
def test_an_option_of_a_member_waits_for_the_member(when: str) -> None:
    with pytest.raises(ConfigError, match=r"study\.yaml:3: axes\.tasks\.speed\.weight: .*write when: \{tasks: speed\}"):
        axes_of(f"tasks: {{subsets: [speed, order]}}\ntasks.speed.weight: {{uniform: [0, 1]{when}}}")


@pytest.mark.parametrize("text", ["title: x", "axes:", "axes: {}", "axes: [a]"])
def test_a_search_needs_axes(text: str) -> None:
    with pytest.raises(ConfigError, match=r"study\.yaml.*axes: a search needs axes"):
        read_axes(parse_tree(text, "study.yaml"))


def test_an_axis_twice_is_a_key_twice() -> None:
    with pytest.raises(ConfigError, match=r"study\.yaml:3: axes\.a: this key is written twice"):
        axes_of("a: {choice: [1, 2]}\na: {choice: [1, 2]}")
