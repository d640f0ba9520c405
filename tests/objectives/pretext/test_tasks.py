"""The contract of every pretext task that comes with raysl; a new one inherits it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from raysl.config.component import names
from raysl.testing import PretextTaskContract
from raysl.testing.pretext_task import tasks_with_views
from raysl.testing.term import Told, on_two_ranks

OVERLAP: dict[str, Any] = {"sampling.pair": {"name": "overlap"}}
NEEDS: dict[str, dict[str, Any]] = {
    "playback_rate": {"sampling.playback_rates": [1, 2]},
    "playback_regression": {"augment.temporal": {"buffer_frames": 4, "max_rate": 2.0}},
    "spatial_overlap": OVERLAP,
    "temporal_overlap": OVERLAP,
}
"""What else of a cell a task asks for."""
TASKS = names("pretext task")


class OfRaysl(PretextTaskContract):
    """One of them."""

    def use(self, name: str) -> OfRaysl:
        self.component, self.changes = name, NEEDS.get(name, {})
        self.options_to_learn = {"dropout": 0.0} if name == "clip_order" else {}
        return self

    def assert_learned(self, first: Mapping[str, float], last: Mapping[str, float]) -> None:
        if self.component != "playback_regression":
            super().assert_learned(first, last)
            return
        assert last.keys() == {"playback_error", "playback_error_of_mean"}
        assert last["playback_error"] < 0.3 * last["playback_error_of_mean"]


@pytest.fixture(scope="module")
def all_on_two_ranks() -> list[Told]:
    return on_two_ranks([OfRaysl().use(name).training() for name in TASKS])


class TestTasks(OfRaysl):
    @pytest.fixture(autouse=True, params=TASKS)
    def one(self, request: pytest.FixtureRequest) -> None:
        self.use(request.param)

    @pytest.fixture
    def two_ranks(self, all_on_two_ranks: list[Told]) -> list[Told]:
        return all_on_two_ranks


def test_there_are_tasks_with_views_of_their_own() -> None:
    assert {"rotation", "reverse", "shuffle", "speed", "clip_order"} <= set(tasks_with_views())
