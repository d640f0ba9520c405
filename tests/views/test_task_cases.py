"""What a task shows for each answer, all of one place."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from raysl.config.component import find
from raysl.config.sections import ClipOptions
from raysl.views.task_cases import Case, task_cases
from raysl.views.task_views import TaskViews
from tests.cells import tiny_cell

CLIP = ClipOptions(frames=4, stride=2, size=32, resize=32)


def views_of(name: str, **options: Any) -> TaskViews:
    component: Any = find("pretext task", name)
    made: TaskViews = component.views(component.options(**options), tiny_cell({"clip.frames": 4, "clip.stride": 2}))
    return made


def cases_of(name: str, length: int = 61, **options: Any) -> list[Case]:
    return task_cases(views_of(name, **options), CLIP, length, 7)


def test_four_quarter_turns_of_one_clip_in_the_middle() -> None:
    cases = cases_of("rotation", jitter=0.0)
    assert [case.title for case in cases] == ["rotation 0", "rotation 1", "rotation 2", "rotation 3"]
    assert {case.placements["rotation"].start for case in cases} == {(61 - 7) // 2}
    clip = torch.arange(3 * 4 * 9.0).view(3, 4, 3, 3)
    turned = []
    for case in cases:
        shown = clip
        for change in case.pixels.get("rotation", ()):
            shown = change(shown)
        turned.append(shown)
    assert torch.equal(turned[0], clip)
    assert len({tuple(one.flatten().tolist()) for one in turned}) == 4


def test_the_same_frames_forwards_and_backwards() -> None:
    forwards, backwards = (case.placements["reverse"].indices(61) for case in cases_of("reverse"))
    assert forwards == [27, 29, 31, 33]
    assert backwards == forwards[::-1]


def test_rates_have_their_middle_in_common() -> None:
    indices = [case.placements["speed"].indices(61) for case in cases_of("speed", rates=(1, 2, 4))]
    assert [one[1] - one[0] for one in indices] == [2, 4, 8]
    assert len({(one[0] + one[-1]) / 2 for one in indices}) == 1
    assert abs((indices[0][0] + indices[0][-1]) / 2 - 30) <= 0.5


def test_of_clips_in_a_row_each_is_the_odd_one_once() -> None:
    cases = cases_of("shuffle")
    assert [case.answer for case in cases] == [(("shuffle", number),) for number in range(3)]
    for odd, case in enumerate(cases):
        rising = [one.indices(61) == sorted(one.indices(61)) for one in case.placements.values()]
        assert rising == [number != odd for number in range(3)]


def test_a_short_video_wraps_around_and_the_same_keys_give_the_same_cases() -> None:
    assert [case.placements["speed"].start for case in cases_of("speed", length=5, rates=(1, 2))] == [3, 0]
    assert cases_of("shuffle") == cases_of("shuffle")


def test_a_task_of_the_pair_is_refused() -> None:
    with pytest.raises(ValueError, match="no clips of its own"):
        cases_of("rotation", view="pair")
