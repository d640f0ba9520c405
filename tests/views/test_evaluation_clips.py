from __future__ import annotations

import pytest
import torch

from raysl.config.sections import TemporalOptions
from raysl.data.source import VideoSource
from raysl.streams import stream
from raysl.views.center_crop import center_crop, center_square
from raysl.views.clip_input import network_input
from raysl.views.evaluation_clips import augmented_copy, clips_at, evaluation_clips, evaluation_placements
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


@pytest.mark.parametrize("start", [0, 40, 90])
@pytest.mark.parametrize("kind", ["rgb", "difference"])
def test_a_copy_is_of_the_clip_with_its_buffer_around_it(start: int, kind: str) -> None:
    """Of 97 frames, clips of 4 or 5 raw frames at stride 2, and 6 frames more: 3 before, unless the video ends."""
    clip = clip_options(input=kind)
    frames = clip.raw_frames
    placement = evaluation_placements(97, clip, 1)[0]._replace(start=min(start, 97 - clip.span))
    temporal = TemporalOptions(buffer_frames=6, dropped_frames=2, max_rate=1.25)
    first = {0: 0, 40: 34, 90: 96 - 2 * (frames + 5)}[start]
    seen: set[int] = set()
    for seed in range(200):
        indices = augmented_copy(placement, 97, clip, temporal, stream(seed)).indices(97)
        assert len(indices) == frames
        assert indices == sorted(set(indices))
        seen.update(indices)
    assert seen == set(range(first, first + 2 * (frames + 6), 2))


def test_a_copy_without_a_buffer_is_the_clip() -> None:
    clip = clip_options()
    for placement in evaluation_placements(97, clip, 5):
        assert augmented_copy(placement, 97, clip, TemporalOptions(), stream(0)).indices(97) == placement.indices(97)


def test_a_copy_in_a_video_shorter_than_its_buffer_wraps_around(source: VideoSource) -> None:
    """20 frames, and a longer clip of 16 frames at stride 2."""
    clip, temporal = clip_options(), TemporalOptions(buffer_frames=12)
    placement = evaluation_placements(20, clip, 3)[2]
    copies = [augmented_copy(placement, 20, clip, temporal, stream(seed)) for seed in range(20)]
    assert {copy.start for copy in copies} == {0}
    assert clips_at(source, 3, clip, copies).shape == (20, 3, 4, 24, 24)


@pytest.mark.parametrize(("height", "width"), [(32, 48), (48, 33), (31, 64), (24, 24), (97, 128)])
def test_the_centre_is_torchvisions(height: int, width: int) -> None:
    from torchvision.transforms.v2 import InterpolationMode, functional
    from torchvision.transforms.v2.functional._geometry import _do_native_uint8_resize_on_cpu as resizes_uint8

    frames = torch.randint(0, 256, (3, 3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    side = min(height, width)
    expected = functional.resize(functional.center_crop(frames, [side, side]), [24, 24], antialias=True)
    difference = center_square(frames, 24).int() - expected.int()
    # torchvision up to 0.23 resizes uint8 through float32 where the CPU has AVX-512: rounded otherwise.
    assert difference.abs().max() <= (0 if resizes_uint8(InterpolationMode.BILINEAR) else 1)
