"""Similarity of time steps, with a backbone whose time steps are angles that follow the frames' numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from raysl.config.component import find
from raysl.config.sections import ClipOptions
from raysl.data.source import VideoSource
from raysl.errors import ConfigError, DataError
from raysl.evaluation.against_data import LabelledSplits
from raysl.evaluation.protocol import EvaluationResult, Task
from raysl.evaluation.protocols.timesteps import TimestepsOptions
from raysl.models.backbone import Backbone
from raysl.views.clip_input import MEAN, STD
from raysl.views.evaluation_clips import evaluation_placements
from tests.cells import tiny_cell
from tests.evaluation.test_similarity import EXACT, NumberedTest
from tests.evaluation.tiny import DATA

CLIP = ClipOptions(frames=8, stride=2, size=16, resize=16)
"""Spans 15 frames."""
LENGTHS = (120, 60, 200, 15)


class Clock(Backbone):
    """A time step for every two frames: their mean number as an angle in a plane of the video's own, degrees."""

    feature_dim = 16

    def forward(self, clips: Tensor) -> Tensor:
        in_time = clips.mean(dim=(3, 4)).unflatten(2, (-1, 2)).mean(dim=3)
        value = in_time * torch.tensor(STD)[:, None] + torch.tensor(MEAN)[:, None]
        angle, video = torch.deg2rad(255 * value[:, 0]), (255 * value[:, 1, 0]).round().long()
        features = torch.zeros(len(clips), 16, angle.shape[1])
        rows = torch.arange(len(clips))
        features[rows, 2 * video] = torch.cos(angle)
        features[rows, 2 * video + 1] = torch.sin(angle)
        return (5.0 * features)[..., None, None].expand(-1, -1, -1, 2, 2)


def measured(source: VideoSource, **options: Any) -> EvaluationResult:
    task = Task(Clock(), source, CLIP, 0, torch.device("cpu"), batch_clips=3)
    result: EvaluationResult = find("protocol", "timesteps").build(TimestepsOptions(**options)).evaluate(task)
    return result


def test_the_similarity_of_two_steps_is_that_of_their_frames() -> None:
    """Neighbouring steps are four frames apart, and an angle is a frame's number."""
    result = measured(NumberedTest(*LENGTHS))
    expected = {f"steps@{apart}": 100 * math.cos(math.radians(4 * apart)) for apart in (1, 2, 3)}
    assert {name: result.metrics[name] for name in expected} == pytest.approx(expected, abs=EXACT)
    weights = {1: 3, 2: 2, 3: 1}
    within = sum(weight * expected[f"steps@{apart}"] for apart, weight in weights.items()) / 6
    assert result.metrics["within"] == pytest.approx(within, abs=EXACT)
    assert result.metrics["between"] == pytest.approx(0, abs=EXACT)
    assert result.metrics["apart"] == 100
    found = np.array(result.details["timesteps"])
    apart = np.abs(np.subtract.outer(range(4), range(4)))
    np.testing.assert_allclose(found, 100 * np.cos(np.radians(4 * apart)), atol=EXACT)


def test_steps_are_means_of_those_of_the_map_and_clips_are_averaged() -> None:
    result = measured(NumberedTest(*LENGTHS), steps=2, clips=3)
    assert result.metrics["steps@1"] == pytest.approx(100 * math.cos(math.radians(8)), abs=EXACT)
    assert result.metrics["within"] == result.metrics["steps@1"]
    starts = {placement.start for placement in evaluation_placements(120, CLIP, 3)}
    assert len(starts) == 3, "so three clips were averaged"
    assert np.array(result.details["timesteps"]).shape == (2, 2)


def test_videos_shorter_than_a_clip_are_left_out_and_counted() -> None:
    result = measured(NumberedTest(*LENGTHS, 14))
    assert result.predictions["path"].tolist() == ["0.mp4", "1.mp4", "2.mp4", "3.mp4"]
    assert (result.details["test_videos"], result.details["too_short"]) == (4, 1)
    with pytest.raises(DataError, match="1 of 3 test videos are as long as a clip, which spans 15 frames"):
        measured(NumberedTest(120, 14, 13))


def test_steps_that_do_not_divide_the_map_are_refused_when_the_study_is_loaded() -> None:
    with pytest.raises(ConfigError, match=r"steps 3 does not divide the 4 time step\(s\).*last_stage_time"):
        measured(NumberedTest(*LENGTHS), steps=3)
    component = find("protocol", "timesteps")
    assert component.check is not None
    shape = {"clip.frames": 16, "clip.size": 32}
    strided = tiny_cell({"backbone": "r3d_18", **shape})
    with pytest.raises(ConfigError, match=r"steps 4 does not divide the 2 time step\(s\)"):
        component.check(TimestepsOptions(), strided)
    component.check(TimestepsOptions(steps=2), strided)
    component.check(TimestepsOptions(), tiny_cell({"backbone": {"name": "r3d_18", "last_stage_time": "kept"}, **shape}))


def test_data_without_long_videos_is_refused_before_training() -> None:
    component, cell = find("protocol", "timesteps"), tiny_cell({"clip.frames": 8, "clip.stride": 2})
    assert component.check_data is not None
    assert component.workload is not None
    splits = LabelledSplits.of(NumberedTest(*LENGTHS, 14).snapshot)
    component.check_data(TimestepsOptions(), cell, splits)
    assert component.workload(TimestepsOptions(clips=2), cell, DATA, splits).videos == 4
    with pytest.raises(DataError, match="0 of 2 test videos"):
        component.check_data(TimestepsOptions(), cell, LabelledSplits.of(NumberedTest(14, 13).snapshot))
