"""Average precision in single frames against values that are worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from raysl.data.catalog import Person
from raysl.evaluation.frame_ap import MOST_PAIRS, ScoredFrame, average_precision, frame_average_precision, overlap

LEFT, RIGHT = (0.0, 0.0, 0.4, 1.0), (0.6, 0.0, 1.0, 1.0)


def frame(people: list[Person], given: dict[tuple[float, float, float, float], list[float]]) -> ScoredFrame:
    actions = len(next(iter(given.values()), []))
    return ScoredFrame(people, np.array(list(given)), np.array(list(given.values())).reshape(len(given), actions))


def person(box: tuple[float, float, float, float], *actions: int) -> Person:
    return Person(box, actions)


@pytest.mark.parametrize(
    ("scores", "hits", "total", "expected"),
    [
        ([0.9, 0.8], [True, True], 2, 1.0),
        # Recall 1/2 at precision 1, then 1 at 2/3.
        ([0.9, 0.8, 0.7], [True, False, True], 2, 0.5 + 0.5 * 2 / 3),
        # A wrong one first: both precisions are those of the larger recall, 2/3.
        ([0.9, 0.8, 0.7], [False, True, True], 2, 2 / 3),
        # Of four people one is found: recall ends at a quarter.
        ([0.9], [True], 4, 0.25),
        # In any order of the detections.
        ([0.7, 0.9, 0.8], [True, True, False], 2, 0.5 + 0.5 * 2 / 3),
        # What falls and rises again counts at its best: 1/4 at 1, 1/4 at 2/3 twice (found 2 of 3, 3 of 5: max 0.6).
        ([9, 8, 7, 6, 5], [True, False, True, False, True], 4, 0.25 * (1 + 2 / 3 + 3 / 5)),
        ([0.5, 0.4], [False, False], 3, 0.0),
        ([], [], 3, 0.0),
    ],
)
def test_the_area_below_precision_by_hand(scores: list[float], hits: list[bool], total: int, expected: float) -> None:
    assert average_precision(scores, hits, total) == pytest.approx(expected)


def test_equal_scores_are_taken_as_a_stable_sort_turned_round_gives_them() -> None:
    """The last of equal ones comes first, as with NumPy's order of the official code."""
    assert average_precision([0.5, 0.5], [True, False], 1) == 0.5
    assert average_precision([0.5, 0.5], [False, True], 1) == 1.0


def test_of_nobody_it_is_unknown() -> None:
    assert math.isnan(average_precision([0.9], [False], 0))


def test_overlap_by_hand() -> None:
    others = np.array([[0.0, 0.0, 1.0, 1.0], [0.5, 0.0, 1.5, 1.0], [1.0, 0.0, 2.0, 1.0], [0.0, 0.0, 0.5, 0.5]])
    np.testing.assert_allclose(overlap(np.array([0.0, 0.0, 1.0, 1.0]), others), [1.0, 1 / 3, 0.0, 0.25])


def test_each_action_is_asked_by_itself_and_one_without_people_is_left_out() -> None:
    found = frame_average_precision(
        [frame([person(LEFT, 0), person(RIGHT, 0, 1)], {LEFT: [0.9, 0.2, 0.8], RIGHT: [0.6, 0.7, 0.1]})], 3
    )
    assert found[0] == 1.0
    assert found[1] == 1.0
    assert math.isnan(found[2])


def test_a_true_box_is_found_once_and_a_second_finding_is_wrong() -> None:
    near = (0.0, 0.0, 0.4, 0.9)
    found = frame_average_precision([frame([person(LEFT, 0), person(RIGHT, 0)], {LEFT: [0.9], near: [0.8]})], 1)
    assert found.tolist() == [0.5]


def test_a_box_is_matched_with_what_it_overlaps_most_alone() -> None:
    """The second box overlaps the first person by more than half too, but the second one more: it is no duplicate."""
    one, two = (0.0, 0.0, 1.0, 0.60), (0.0, 0.0, 1.0, 0.80)
    found = frame_average_precision(
        [frame([person(one, 0), person(two, 0)], {one: [0.9], (0.0, 0.0, 1.0, 0.75): [0.8]})], 1
    )
    assert found.tolist() == [1.0]


@pytest.mark.parametrize(("width", "expected"), [(0.5, 1.0), (0.49, 0.0)])
def test_half_an_overlap_is_enough(width: float, expected: float) -> None:
    found = frame_average_precision([frame([person((0.0, 0.0, 1.0, 1.0), 0)], {(0.0, 0.0, width, 1.0): [0.9]})], 1)
    assert found.tolist() == [expected]


def test_missed_people_and_boxes_of_nobody_over_several_frames() -> None:
    """By score: right, wrong (a frame without people), right; one of three people has no box."""
    frames = [
        frame([person(LEFT, 0), person(RIGHT, 0)], {LEFT: [0.9]}),
        frame([], {LEFT: [0.8]}),
        frame([person(RIGHT, 0)], {RIGHT: [0.7]}),
    ]
    assert frame_average_precision(frames, 1).tolist() == pytest.approx([1 / 3 + 1 / 3 * 2 / 3])


def test_a_frame_without_boxes_loses_its_people() -> None:
    empty = ScoredFrame([person(LEFT, 0)], np.zeros((0, 4)), np.zeros((0, 1)))
    assert frame_average_precision([empty], 1).tolist() == [0.0]


def test_of_a_frame_only_the_surest_pairs_count() -> None:
    """Of 60 actions of one box the last ten come behind the fifty that count."""
    actions = MOST_PAIRS + 10
    found = frame_average_precision(
        [frame([person(LEFT, *range(actions))], {LEFT: [1.0 - action / 100 for action in range(actions)]})], actions
    )
    assert found.tolist() == [1.0] * MOST_PAIRS + [0.0] * 10
