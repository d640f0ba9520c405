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


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ({"warmup_epochs": 2.0}, {"warmup_epochs": 0.2}),
        ({"warmup_epochs": 1.5}, {"warmup_epochs": 1.5}),
        ({"milestones": [2.0, 15.0]}, {"milestones": [0.2, 1.5]}),
        ({"milestones": [1.0, 15.0]}, {"milestones": [1.0, 15.0]}),
        ({"warmup_epochs": 0.0, "warmup_steps": 40}, {"warmup_epochs": 0.0, "warmup_steps": 40}),
    ],
)
def test_what_a_shortened_training_would_never_get_beyond_is_shortened_with_it(
    schedule: dict[str, Any], expected: dict[str, Any]
) -> None:
    """20 epochs become 2; a study with SimCLR's warm-up of 2 was refused at this scale."""
    data = {"training": {"epochs": 20, "steps": None}, "schedule": schedule}
    multiply(data, Scale(multiply={"training.epochs": {"by": 0.1}}))
    assert data["schedule"] == expected


def test_a_warm_up_in_steps_follows_the_steps_and_a_factor_of_its_own_wins() -> None:
    steps = {"training.steps": {"by": 0.1}}
    for factors, expected in ((steps, 5), (steps | {"schedule.warmup_steps": {"by": 0.5}}, 25)):
        data = {"training": {"epochs": None, "steps": 100}, "schedule": {"warmup_steps": 50}}
        multiply(data, Scale(multiply=factors))
        assert data["schedule"] == {"warmup_steps": expected}
