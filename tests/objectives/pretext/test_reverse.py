"""Reverse: the answer is the direction of the delivered clip; nothing else tells it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.objectives.task_videos import assert_balanced, assert_same_law, delivered, plans, with_tasks
from tests.views.numbered import NumberedSource, numbers, steps

VIEWS = {"own": ("reverse",), "pair": ("query", "key")}
CLIP = {"frames": 6, "stride": 3}


@pytest.mark.parametrize("view", VIEWS)
def test_the_answer_is_the_direction_of_the_delivered_clip(view: str) -> None:
    cell = with_tasks({"reverse": {"view": view}}, clip=CLIP)
    seen = set()
    for clips, answers, centers in delivered(cell, NumberedSource(60), VIEWS[view], 30):
        for name in VIEWS[view]:
            shown = numbers(clips[name])
            assert [b - a for a, b in pairwise(shown)] == [(3, -3)[answers[f"reverse/{name}"]]] * 5
            assert centers[name] == pytest.approx((shown[0] + shown[-1]) / 120)
        seen.add(tuple(answers.values()))
    assert len(seen) == 2 ** len(VIEWS[view]), "each clip has a direction of its own"


def test_subtracted_frames() -> None:
    cell = with_tasks({"reverse": {}}, clip=CLIP | {"input": "difference"})
    for clips, answers, _ in delivered(cell, NumberedSource(60), ("reverse",), 12):
        assert steps(clips["reverse"]) == [(3, -3)[answers["reverse/reverse"]]] * 6


def test_directions_are_balanced_and_the_place_does_not_tell() -> None:
    starts: list[list[float]] = [[], []]
    for plan in plans(with_tasks({"reverse": {}}, clip=CLIP), "reverse", 60, 4000):
        starts[plan.targets["reverse/reverse"]].append(min(plan.placements["reverse"].indices(60)))
    assert_balanced([len(of_answer) for of_answer in starts])
    assert_same_law(starts)
