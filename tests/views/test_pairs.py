"""Every pair sampler keeps the contract; then what each promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats

from raysl.config.component import find, names
from raysl.data.source import VideoSource
from raysl.errors import ConfigError
from raysl.streams import stream
from raysl.testing import PairSamplerContract
from raysl.views.loader import PretrainingLoader
from raysl.views.pair_sampler import PairSampler
from raysl.views.pairs.skips import SkipsOptions, SkipsPair
from raysl.views.placement import uniform_start
from tests.views.sets import clip_options, small_cell


def built(name: str, **clip: object) -> PairSampler:
    component = find("pair sampler", name)
    sampler: PairSampler = component.build(component.options(), clip_options(**clip))
    return sampler


class TestPairSamplers(PairSamplerContract):
    @pytest.fixture(autouse=True, params=names("pair sampler"))
    def one(self, request: pytest.FixtureRequest) -> None:
        self.component = request.param


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
    assert abs(float(stats.spearmanr(starts).statistic)) < 0.07


def skips(length: int, many: int, **options: Any) -> NDArray[np.int64]:
    """``[many, 4]``: stride and start of the query, stride and start of the key, of clips of 16 frames."""
    pair = SkipsPair(SkipsOptions(**options), clip_options(frames=16))
    placed = [pair.place(length, stream("skips", i)) for i in range(many)]
    return np.array([[one[name][field] for name in ("query", "key") for field in (2, 0)] for one in placed])


def test_strides_are_uniform_and_independent_of_each_other_and_of_the_places() -> None:
    drawn = skips(100_000, 4000)
    table = stats.contingency.crosstab(drawn[:, 0], drawn[:, 2]).count
    assert table.shape == (4, 4)
    assert stats.chisquare(table.ravel()).pvalue > 1e-3
    for own, start in ((0, 1), (2, 3)):
        last = 100_000 - 15 * drawn[:, own]
        assert stats.kstest(drawn[:, start] / last, "uniform").pvalue > 1e-3
    assert abs(stats.spearmanr(drawn[:, [1, 3]]).statistic) < 4 / np.sqrt(4000)
    assert abs(stats.spearmanr(drawn[:, [2, 1]]).statistic) < 4 / np.sqrt(4000)


def test_one_draw_of_the_stride_may_serve_both_clips_and_moves_no_query() -> None:
    apart, together = skips(400, 300), skips(400, 300, same=True)
    assert (together[:, 0] == together[:, 2]).all()
    assert (apart[:, 0] != apart[:, 2]).mean() == pytest.approx(0.75, abs=0.1)
    assert (together[:, :2] == apart[:, :2]).all()
    assert (together[:, 1] != together[:, 3]).mean() > 0.9
    assert set(together[:, 0]) == {1, 2, 4, 8}


@pytest.mark.parametrize(
    ("length", "strides"),
    [(200, {1, 2, 4, 8}), (121, {1, 2, 4, 8}), (120, {1, 2, 4}), (61, {1, 2, 4}), (60, {1, 2}), (16, {1}), (9, {1})],
)
@pytest.mark.parametrize("same", [False, True])
def test_strides_whose_clip_does_not_fit_are_not_drawn(length: int, strides: set[int], same: bool) -> None:
    drawn = skips(length, 200, same=same)
    assert set(drawn[:, 0]) == set(drawn[:, 2]) == strides


def test_where_no_stride_fits_the_smallest_wraps_around() -> None:
    drawn = skips(20, 400, skips=(4, 2, 8))
    assert (drawn[:, [0, 2]] == 2).all()
    assert set(drawn[:, 1]) == set(drawn[:, 3]) == set(range(20))


@pytest.mark.parametrize("bad", [(), (0,), (2, 65), (1.5,), 4])
def test_strides_out_of_bounds_are_refused(bad: Any) -> None:
    with pytest.raises(ConfigError, match=r"sampling\.pair\.skips"):
        small_cell(sampling={"pair": {"name": "skips", "skips": bad}})


def test_each_view_says_its_own_stride_and_the_shortest_counts(source: VideoSource) -> None:
    sampling = {"pair": {"name": "skips", "skips": [1, 4]}}
    cell = small_cell(sampling=sampling, clip={"stride": 16})
    made = PretrainingLoader(cell, source, view_names=("query", "key"), rank=0, world_size=1)
    assert made.too_short == 0
    rates = torch.cat([torch.stack([view.rate for view in batch.views.values()]) for batch in made.epoch(0)], dim=1)
    assert set(rates.ravel().tolist()) == {1.0, 4.0}
    assert (rates[0] != rates[1]).any()
    longer = small_cell(sampling={"pair": {"name": "skips", "skips": [8, 7]}}, clip={"frames": 4})
    expected = (
        r"clip\.frames 4 at stride 7 of sampling\.pair spans 22 frames .* has 20; lower .*strides of sampling\.pair"
    )
    with pytest.raises(ConfigError, match=expected):
        PretrainingLoader(longer, source, view_names=("query", "key"), rank=0, world_size=1)
