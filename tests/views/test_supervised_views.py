"""The clip that labels are trained on: at the playback rates and turns that the vocabulary of the tasks gives it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from raysl.config.cell import CellConfig
from raysl.config.component import find
from raysl.data.source import VideoSource
from raysl.errors import ConfigError
from raysl.streams import stream
from raysl.views.loader import PretrainingLoader
from raysl.views.task_views import task_views
from tests.views.numbered import SEED, NumberedSource, batches, numbered_cell, numbers
from tests.views.sets import small_cell

TURNED = {"rotation": {"view": "pair", "supervise": False, "jitter": 0.0}}
BACKWARDS = {"reverse": {"view": "pair", "supervise": False}}
SUPERVISED: dict[str, Any] = {"pretraining": "supervised"}


def rates(cell: CellConfig, source: VideoSource, epochs: int = 1) -> dict[int, list[int]]:
    """By video, the distances of frames in the clip of each epoch, read from its pixels."""
    found: dict[int, list[int]] = {}
    for epoch in range(epochs):
        for batch in batches(cell, source, ("query",), epoch):
            for video, clip in zip(batch.views["query"].video.tolist(), batch.views["query"].clips, strict=True):
                steps = set(np.diff(numbers(clip)).tolist())
                assert len(steps) == 1
                found.setdefault(video, []).extend(steps)
    return found


def test_one_of_the_playback_rates_that_fit_is_drawn() -> None:
    source = NumberedSource(256, 256, 256, 100, 61, 256)
    drawn = rates(numbered_cell(sampling={"playback_rates": [1, 2, 4]}, **SUPERVISED), source, epochs=50)
    long = [stride for video in (0, 1, 2, 5) for stride in drawn[video]]
    assert set(drawn[3]) == set(drawn[4]) == {4}
    assert set(long) == {4, 8, 16}
    assert stats.chisquare(np.unique(long, return_counts=True)[1]).pvalue > 1e-3


def test_a_short_video_has_the_smallest_rate_and_is_counted() -> None:
    source = NumberedSource(256, 256, 100, 60)
    cell = numbered_cell(sampling={"playback_rates": [2, 4]}, **SUPERVISED)
    loader = PretrainingLoader(cell, source, view_names=("query",), rank=0, world_size=1)
    assert loader.too_short == 2
    # Of batches of two: all four videos, whose clips are not all of one stride where they wrap around.
    views = [batch.views["query"] for batch in loader.epoch(0)]
    strides = dict(zip(torch.cat([v.video for v in views]).tolist(), torch.cat([v.rate for v in views]), strict=True))
    assert strides[2] == strides[3] == 8


def test_one_rate_moves_no_draw() -> None:
    source = NumberedSource(256, 200, 100, 256)
    plain, same = (
        batches(numbered_cell(sampling=sampling, **SUPERVISED), source, ("query",))
        for sampling in ({}, {"playback_rates": [1]})
    )
    for one, other in zip(plain, same, strict=True):
        assert torch.equal(one.views["query"].clips, other.views["query"].clips)


def test_the_clip_is_turned_by_quarters_of_its_own_draw(source: VideoSource) -> None:
    plain = small_cell(objective={"pretext": {}}, **SUPERVISED)
    turned = small_cell(objective={"pretext": TURNED}, **SUPERVISED)
    seen = set()
    for epoch in range(3):
        for one, other in zip(*(batches(cell, source, ("query",), epoch) for cell in (plain, turned)), strict=True):
            assert torch.equal(one.targets["label"], other.targets["label"])
            for video, before, after in zip(
                one.views["query"].video.tolist(), one.views["query"].clips, other.views["query"].clips, strict=True
            ):
                turns = int(stream(SEED, epoch, video, "rotation", "task").integers(4))
                assert torch.equal(after, torch.rot90(before, turns, dims=(2, 3)))
                seen.add(turns)
    assert seen == {0, 1, 2, 3}


def test_any_task_that_changes_the_pair_serves() -> None:
    source = NumberedSource(256, 256, 256, 256)
    drawn = rates(numbered_cell(objective={"pretext": BACKWARDS}, **SUPERVISED), source, epochs=10)
    steps = [step for own in drawn.values() for step in own]
    assert set(steps) == {4, -4}
    assert stats.binomtest(steps.count(4), len(steps)).pvalue > 1e-3


@pytest.mark.parametrize(
    "pretext", [{"rotation": {"view": "pair"}}, {"rotation": {}}, {"rotation": {"supervise": False}}], ids=str
)
def test_a_task_that_is_a_term_or_has_a_view_of_its_own_changes_nothing(pretext: dict[str, Any]) -> None:
    # A view of its own that no term reads is refused elsewhere; here the labels are all that is learned.
    cell = small_cell(objective={"pretext": pretext}, **SUPERVISED)
    assert task_views(cell) == {}


def test_two_tasks_that_set_the_same_are_refused(source: VideoSource, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = small_cell(objective={"pretext": {**TURNED, **BACKWARDS}}, **SUPERVISED)
    made = find("pretext task", "rotation").views
    assert made is not None
    monkeypatch.setattr(
        "raysl.objectives.pretext.reverse.ReverseViews.changes",
        made(cell.objective.pretext["rotation"].options, cell).changes,
    )
    with pytest.raises(ConfigError, match="reverse and rotation both set the angle of the view 'query'"):
        batches(cell, source, ("query",))
