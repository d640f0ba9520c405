from __future__ import annotations

import pytest
import torch

from raysl.data.source import VideoSource
from raysl.views.center_crop import center_crop
from raysl.views.clip_input import network_input
from raysl.views.evaluation_clips import evaluation_clips, evaluation_placements
from tests.views.sets import clip_options


def test_starts_are_linearly_spaced_from_the_first_to_the_last_that_fits() -> None:
    placements = evaluation_placements(97, clip_options(), 10)
    assert [placement.start for placement in placements] == [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]
    assert placements[-1].indices(97)[-1] == 96
    assert [placement.start for placement in evaluation_placements(97, clip_options(), 1)] == [45]
    with pytest.raises(ValueError, match="at least one clip, not 0"):
        evaluation_placements(97, clip_options(), 0)


@pytest.mark.parametrize("kind", ["rgb", "difference"])
def test_clips_are_the_centre_crops_of_their_frames(source: VideoSource, kind: str) -> None:
    clip = clip_options(input=kind)
    clips = evaluation_clips(source, 3, clip, 4)
    assert clips.shape == (4, 3, 4, 24, 24)
    for one, placement in zip(clips, evaluation_placements(20, clip, 4), strict=True):
        pixels = center_crop(source.frames(3, placement.indices(20)), 24)
        assert torch.equal(one, network_input(pixels, clip.input))
    assert not torch.equal(clips[0], clips[3])
    assert torch.equal(clips, evaluation_clips(source, 3, clip, 4))


def test_a_short_video_wraps_around(source: VideoSource) -> None:
    clip = clip_options(frames=12)
    clips = evaluation_clips(source, 0, clip, 2)
    assert torch.equal(clips[0], clips[1])
    assert torch.equal(clips[0, :, 10], clips[0, :, 0])
    assert not torch.equal(clips[0, :, 9], clips[0, :, 0])
