"""Answers to test videos are as in a dict, and take little memory."""

import random
import tracemalloc
from fractions import Fraction

import pytest

from raysl.reports.per_video import Answers

VIDEOS = [f"class_{number % 7}/v{number}.mp4" for number in range(500)]
KINDS: list[list[object]] = [
    [number % 3 == 0 for number in range(500)],
    [Fraction(number % 11, 10) for number in range(500)],
    [(number, number * number % 7 or None) for number in range(500)],  # more than 256 different ones
]


@pytest.mark.parametrize("values", KINDS)
def test_is_the_mapping_that_a_dict_is(values: list[object]) -> None:
    known, expected = Answers(), dict(zip(VIDEOS, values, strict=True))
    found = known.per_video(known.places(VIDEOS), values)
    assert found == expected
    assert list(found.items()) == list(expected.items())
    assert (len(found), "absent.mp4" in found, found.get("absent.mp4")) == (500, False, None)


def test_those_made_first_stay_as_they_are_and_equal_values_keep_their_types() -> None:
    known = Answers()
    places = known.places(VIDEOS)
    found = [known.per_video(places, values) for values in KINDS]  # the last one does not fit into a byte
    assert [[type(value) for value in one.values()] for one in found] == [
        [type(value) for value in values] for values in KINDS
    ]
    assert [list(one.values()) for one in found] == KINDS


def test_the_same_test_set_has_one_mapping_of_places() -> None:
    known = Answers()
    assert known.places(iter(VIDEOS)) is known.places(list(VIDEOS))
    assert known.places(reversed(VIDEOS)) is not known.places(VIDEOS)


def test_an_evaluation_takes_about_a_byte_a_video() -> None:
    known, draw = Answers(), random.Random(0)
    places, answers = known.places(VIDEOS), [[draw.random() < 0.5 for _ in VIDEOS] for _ in range(40)]
    tracemalloc.start()
    kept = [known.per_video(places, one) for one in answers]
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken / len(kept) < 3 * len(VIDEOS)
