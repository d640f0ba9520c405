"""Every pair sampler keeps the contract; then what each promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from raysl.config.component import find, names
from raysl.streams import stream
from raysl.views.pair_sampler import PairSampler
from raysl.views.placement import uniform_start
from tests.views.sets import clip_options


def built(name: str, **clip: object) -> PairSampler:
    component = find("pair sampler", name)
    sampler: PairSampler = component.build(component.options(), clip_options(**clip))
    return sampler


@pytest.mark.parametrize("name", names("pair sampler"))
@settings(max_examples=50, deadline=None)
@given(length=st.integers(1, 300), frames=st.integers(2, 16), stride=st.integers(1, 8), key=st.integers(0, 99))
def test_places_both_clips_inside_the_video_or_wraps(
    name: str, length: int, frames: int, stride: int, key: int
) -> None:
    for kind in ("rgb", "difference"):
        clip = clip_options(frames=frames, stride=stride, input=kind)
        placements = built(name, frames=frames, stride=stride, input=kind).place(length, stream(key))
        assert set(placements) == {"query", "key"}
        for placement in placements.values():
            indices = placement.indices(length)
            assert (len(indices), placement.stride) == (clip.raw_frames, stride)
            assert all(0 <= index < length for index in indices)
            assert 0 <= placement.center(length) <= 1
            if length >= clip.span:
                assert indices == list(range(placement.start, placement.start + clip.span, stride))


@pytest.mark.parametrize("name", names("pair sampler"))
def test_equal_streams_give_equal_pairs(name: str) -> None:
    sampler = built(name)
    assert [sampler.place(90, stream(7, i)) for i in range(20)] == [sampler.place(90, stream(7, i)) for i in range(20)]


def test_starts_are_uniform_over_all_that_fit() -> None:
    clip = clip_options(frames=4, stride=2)
    draw = np.array([uniform_start(26, clip, stream("uniform", i)) for i in range(4000)])
    counts = np.bincount(draw, minlength=20)
    assert len(counts) == 26 - clip.span + 1 == 20
    assert stats.chisquare(counts).pvalue > 1e-3


def test_a_short_video_starts_anywhere() -> None:
    draw = [uniform_start(5, clip_options(frames=4, stride=2), stream("short", i)) for i in range(2000)]
    assert stats.chisquare(np.bincount(draw, minlength=5)).pvalue > 1e-3
    assert max(draw) == 4


def test_same_places_both_clips_at_the_same_frames() -> None:
    pairs = [built("same").place(200, stream(i)) for i in range(50)]
    assert all(pair["query"] == pair["key"] for pair in pairs)
    assert len({pair["query"].start for pair in pairs}) > 10


def test_random_places_the_clips_independently() -> None:
    pairs = [built("random").place(10_006, stream("independent", i)) for i in range(2000)]
    starts = np.array([(pair["query"].start, pair["key"].start) for pair in pairs])
    for column in starts.T:
        assert stats.kstest(column / 10_000, "uniform").pvalue > 1e-3
    assert abs(stats.spearmanr(starts).statistic) < 0.07
