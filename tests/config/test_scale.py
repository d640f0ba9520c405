"""Factors of a scale on lists of numbers."""

from __future__ import annotations

from typing import Any

import pytest

from raysl.config.scale import Scale, multiply
from raysl.errors import ConfigError

SCALE = Scale(multiply={"schedule.milestones": {"by": 0.1}})


@pytest.mark.parametrize(
    ("value", "expected"), [([50.0, 100.0], [5.0, 10.0]), ([50, 100], [5, 10]), (50, 5), (None, None)]
)
def test_every_number_of_a_list_follows(value: Any, expected: Any) -> None:
    data = {"schedule": {"milestones": value}}
    multiply(data, SCALE)
    assert data["schedule"]["milestones"] == expected


@pytest.mark.parametrize("value", [[50, "last"], [True], {}])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"schedule\.milestones: holds"):
        multiply({"schedule": {"milestones": value}}, SCALE)


def test_what_is_switched_off_stays_off() -> None:
    """A zero is no small number: neither the least one that a factor leaves nor its minimum."""
    for value in (0, 0.0):
        data = {"schedule": {"milestones": value}}
        multiply(data, Scale(multiply={"schedule.milestones": {"by": 0.1, "min": 4, "multiple_of": 2}}))
        assert data == {"schedule": {"milestones": value}}
