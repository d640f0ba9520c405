"""Rotation: the answer is the angle of the delivered clip; what turning leaves black is the same for all."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from raysl.objectives.pretext.rotation import turn
from raysl.views.clip_input import MEAN, STD
from tests.objectives.task_videos import assert_balanced, assert_same_law, delivered, plans, with_tasks
from tests.views.numbered import NumberedSource

SIDE = 64
VIEWS = {"own": ("rotation",), "pair": ("query", "key")}
CLIP = {"frames": 6, "stride": 3, "size": SIDE, "resize": SIDE}


class MarkedSource(NumberedSource):
    """Black frames with a white square whose middle is 20 pixels to the right of the frame's."""

    def frames(self, index: int, frame_indices: Sequence[int]) -> Tensor:
        frames = torch.zeros(len(frame_indices), 3, SIDE, SIDE, dtype=torch.uint8)
        frames[:, :, 28:36, 48:56] = 255
        return frames


def pixels(clip: Tensor) -> Tensor:
    """``[T, H, W]``, the red channel in [0, 1] of a clip as the network reads it."""
    return clip[0] * STD[0] + MEAN[0]


def angles(clip: Tensor) -> list[float]:
    """Degrees, counter-clockwise, from the frame's middle to that of what is white, for each frame."""
    found = []
    for frame in pixels(clip):
        rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
        up = (SIDE - 1) / 2 - (frame * rows).sum() / frame.sum()
        right = (frame * columns).sum() / frame.sum() - (SIDE - 1) / 2
        found.append(math.degrees(math.atan2(up, right)) % 360)
    return found


def off(angle: float, turns: int) -> float:
    return (angle - 90 * turns + 180) % 360 - 180


@pytest.mark.parametrize("view", VIEWS)
def test_the_answer_is_the_angle_of_the_delivered_clip(view: str) -> None:
    cell = with_tasks({"rotation": {"view": view}}, clip=CLIP)
    jitter, seen = [], set()
    for clips, answers, _ in delivered(cell, MarkedSource(60), VIEWS[view], 24):
        for name in VIEWS[view]:
            found = [off(angle, answers[f"rotation/{name}"]) for angle in angles(clips[name])]
            assert max(map(abs, found)) < 3.2
            assert max(found) - min(found) > 0.5, "every frame has an angle of its own"
            jitter += found
        seen.add(tuple(answers.values()))
    assert {answer for answers in seen for answer in answers} == {0, 1, 2, 3}
    assert len(seen) >= {"own": 4, "pair": 8}[view], "each clip has an angle of its own"
    assert torch.tensor(jitter).mean().abs() < 0.6
    assert torch.tensor(jitter).std().item() == pytest.approx(3 / math.sqrt(3), rel=0.2)


def test_without_jitter_no_pixel_is_interpolated() -> None:
    cell = with_tasks({"rotation": {"jitter": 0.0}}, clip=CLIP)
    for clips, answers, _ in delivered(cell, MarkedSource(60), ("rotation",), 12):
        assert angles(clips["rotation"]) == pytest.approx([90 * answers["rotation/rotation"]] * 6, abs=1.5)
        shown = pixels(clips["rotation"])
        assert set(shown.round(decimals=4).unique().abs().tolist()) == {0.0, 1.0}


def test_what_is_left_black_is_the_same_for_all_four_answers() -> None:
    white = torch.ones(3, 5, SIDE, SIDE)
    jitter = [-3.0, -0.5, 0.0, 1.0, 3.0]
    turned = [turn(white, turns, jitter) for turns in range(4)]
    assert all(torch.equal(turned[0], other) for other in turned[1:])
    assert (turned[0][:, 0] < 0.5).any()
    assert turned[0][:, 2].min() > 0.99


def test_a_clip_is_turned_as_it_was_cropped() -> None:
    clip = torch.rand(3, 4, 8, 8)
    for turns in range(4):
        back = torch.rot90(turn(clip, turns, [0.0] * 4), -turns, dims=(2, 3))
        assert torch.equal(back, clip)


def test_angles_are_balanced_and_neither_place_nor_jitter_tells() -> None:
    starts: list[list[float]] = [[] for _ in range(4)]
    jitter: list[list[float]] = [[] for _ in range(4)]
    for plan in plans(with_tasks({"rotation": {}}, clip=CLIP), "rotation", 60, 4000):
        answer = plan.targets["rotation/rotation"]
        starts[answer].append(plan.placements["rotation"].start)
        (change,) = plan.pixels["rotation"]
        jitter[answer] += change.keywords["angles"]  # type: ignore[attr-defined]
    assert_balanced([len(of_answer) for of_answer in starts])
    assert_same_law(starts)
    assert_same_law(jitter)
    drawn = torch.tensor(jitter[0])
    assert drawn.abs().max() <= 3
    assert drawn.std().item() == pytest.approx(3 / math.sqrt(3), rel=0.05)
