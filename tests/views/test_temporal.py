"""Augmentation in time: which frames are left, how likely each choice is, and what it moves."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from raysl.config.component import names
from raysl.config.sections import TemporalOptions
from raysl.data.source import VideoSource
from raysl.errors import ConfigError
from raysl.streams import stream
from raysl.testing.drawn import drawn
from raysl.views.loader import PretrainingLoader
from raysl.views.pair_sampler import pair_sampler
from raysl.views.pipeline import ViewPipeline
from raysl.views.placement import Placement, uniform_start
from raysl.views.temporal import augment_in_time
from tests.views.numbered import SEED, NumberedSource, batches, numbered_cell, numbers, pair_stream, steps
from tests.views.sets import small_cell

PAIR = ("query", "key")
SSTL: dict[str, Any] = {"buffer_frames": 12, "dropped_frames": 4, "max_rate": 1.25}
CROP, DROPOUT, DISTORTION = {"buffer_frames": 12}, {"buffer_frames": 4, "dropped_frames": 4}, {"max_rate": 1.25}
MODES = {"crop": CROP, "dropout": DROPOUT, "distortion": CROP | DISTORTION, "all": SSTL}
MANY = 3000


def kept(key: int, frames: int, **options: Any) -> tuple[int, ...]:
    """Of a clip of ``frames`` and the buffer, what is left."""
    given = TemporalOptions(**options)
    raw = Placement(0, frames + given.buffer_frames, 1)
    left = augment_in_time(raw, given, frames, stream("temporal", key))
    assert left.kept is not None
    return left.kept


def by_loops(options: TemporalOptions, frames: int, generator: np.random.Generator) -> tuple[list[int], float]:
    """The frames that are left and the playback rate: SSTL 3.1 as plain loops over the same draws."""
    count = frames + options.buffer_frames
    rate = generator.uniform(1.0, options.max_rate)
    shares = generator.random(count)
    fast = sorted((i for i in range(count) if shares[i] < 1 - 1 / rate), key=lambda i: shares[i])
    fast = fast[: options.buffer_frames - options.dropped_frames]
    left = [i for i in range(count) if i not in fast]
    order = generator.permutation(len(left) - options.dropped_frames + 1)
    for above, place in enumerate(sorted(order[: options.dropped_frames])):
        left[place + above] = -1
    left = [i for i in left if i >= 0]
    first = generator.integers(len(left) - frames + 1)
    return left[first : first + frames], rate


def probabilities(frames: int, buffer: int, dropped: int, max_rate: float) -> dict[tuple[int, ...], float]:
    """How likely each choice of frames is, by counting all ways to it."""
    count, most = frames + buffer, buffer - dropped
    rates = 1.0 + (max_rate - 1.0) * (np.arange(10_000) + 0.5) / 10_000
    found: defaultdict[tuple[int, ...], float] = defaultdict(float)
    for many in range(count + 1):
        chance = float(np.mean((1 - 1 / rates) ** many * (1 / rates) ** (count - many)))
        for fast in combinations(range(count), many):
            parts = list(combinations(fast, min(many, most)))
            for gone in parts:
                left = _choices([i for i in range(count) if i not in gone], dropped)
                starts = count - len(gone) - dropped - frames + 1
                for last in left:
                    for first in range(starts):
                        found[tuple(last[first : first + frames])] += chance / len(parts) / len(left) / starts
    return {choice: share for choice, share in found.items() if share > 0}


def _choices(left: list[int], dropped: int) -> list[list[int]]:
    """What remains of ``left`` without ``dropped`` of them, no two neighbours: every way."""
    places = [p for p in combinations(range(len(left)), dropped) if all(b - a > 1 for a, b in pairwise(p))]
    return [[one for i, one in enumerate(left) if i not in gone] for gone in places]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("frames", "buffer", "dropped", "max_rate"),
    [
        (3, 3, 0, 1.0),
        (3, 2, 2, 1.0),
        (2, 3, 3, 1.0),
        (4, 3, 3, 1.0),
        (3, 3, 2, 1.0),
        (3, 2, 0, 2.0),
        (2, 3, 1, 1.5),
        (3, 3, 1, 16.0),
    ],
    ids=[
        "crop",
        "dropout",
        "dropout of all but two",
        "dropout of three",
        "dropout and crop",
        "distortion",
        "all",
        "cap",
    ],
)
def test_every_choice_is_as_likely_as_counting_says(frames: int, buffer: int, dropped: int, max_rate: float) -> None:
    options = {"buffer_frames": buffer, "dropped_frames": dropped, "max_rate": max_rate}
    drawn = Counter(kept(key, frames, **options) for key in range(MANY))
    expected = probabilities(frames, buffer, dropped, max_rate)
    assert sum(expected.values()) == pytest.approx(1.0)
    assert set(drawn) == set(expected)
    if len(expected) > 1:
        counts = [drawn[choice] for choice in expected]
        assert stats.chisquare(counts, MANY * np.array(list(expected.values()))).pvalue > 1e-3


def test_the_paper_s_dropout_leaves_no_two_neighbours_and_all_else() -> None:
    gone = [sorted(set(range(20)) - set(kept(key, 16, **DROPOUT))) for key in range(1000)]
    assert all(len(frames) == 4 and min(np.diff(frames)) > 1 for frames in gone)
    # Of 20 frames every one goes at times, the outer ones most often: they have one neighbour.
    often = np.bincount(np.ravel(gone), minlength=20)
    assert often.min() > 120
    assert often[[0, 19]].min() > often[[1, 18]].max()


def test_whatever_is_dropped_a_clip_is_left() -> None:
    for frames, spare, dropped, max_rate, key in drawn(100, (2, 20), (0, 20), (0, 20), (1.0, 16.0), (0, 999)):
        dropped = min(dropped, frames + 1)
        if spare + dropped == 0:
            continue
        options = {"buffer_frames": spare + dropped, "dropped_frames": dropped, "max_rate": max_rate if spare else 1.0}
        left = kept(key, frames, **options)
        assert len(left) == frames
        assert list(left) == sorted(set(left))
        assert 0 <= left[0] <= left[-1] < frames + spare + dropped


def test_distortion_never_drops_more_than_the_buffer_spares() -> None:
    """At high rates the cap of 8 binds: of 28 frames 20 are left, 16 after dropout, which then are the window."""
    rates, most = [], 0
    for key in range(300):
        generator = stream("cap", key)
        left = augment_in_time(Placement(0, 28, 1), TemporalOptions(**SSTL | {"max_rate": 16.0}), 16, generator)
        assert left.kept is not None
        assert len(left.kept) == 16
        rates.append(left.distortion)
        most = max(most, left.kept[-1] - left.kept[0])
    assert most == 27
    assert max(rates) > 15


def test_the_rate_is_uniform_and_frames_go_as_often_as_it_says() -> None:
    """Of frames dropped with probability 1 - 1/p, those kept lie p apart in the mean."""
    options, raw = TemporalOptions(buffer_frames=200, max_rate=1.25), Placement(0, 300, 1)
    drawn = [augment_in_time(raw, options, 100, stream("rate", key)) for key in range(1500)]
    rates = np.array([one.distortion for one in drawn])
    assert stats.kstest((rates - 1.0) / 0.25, "uniform").pvalue > 1e-3
    realised = np.array([(one.kept[-1] - one.kept[0]) / 99 for one in drawn if one.kept is not None])
    assert stats.linregress(rates, realised).slope == pytest.approx(1.0, abs=0.1)
    # Mean and spread of the number of frames between two kept ones (geometric).
    variance = np.mean(rates * (rates - 1.0)) / 99
    assert abs(np.mean(realised - rates)) < 4 * np.sqrt(variance / len(rates))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["rgb", "difference"])
def test_the_clips_of_a_batch_hold_exactly_these_frames(mode: str, kind: str) -> None:
    source = NumberedSource(100, 110, 120, 130)
    cell = numbered_cell(clip={"stride": 2, "input": kind}, temporal=MODES[mode])
    sampler = pair_sampler(cell)
    assert sampler is not None
    raw_frames = 16 + (kind == "difference")
    for batch in batches(cell, source, PAIR, epoch=1):
        for row, video in enumerate(batch.views["query"].video.tolist()):
            raw = sampler.place(source.length(video), pair_stream(video, epoch=1))
            for name in PAIR:
                assert raw[name].frames == raw_frames + cell.temporal.buffer_frames
                left, rate = by_loops(cell.temporal, raw_frames, stream(SEED, 1, video, name, "temporal"))
                frames = [raw[name].start + 2 * i for i in left]
                view = batch.views[name]
                found = numbers(view.clips[row]) if kind == "rgb" else steps(view.clips[row])
                assert found == (frames if kind == "rgb" else np.diff(frames).tolist())
                assert view.distortion[row].item() == pytest.approx(rate)
                assert view.rate[row].item() == pytest.approx(2 * rate)
                middle = (frames[0] + frames[-1]) / 2
                assert view.center[row].item() == pytest.approx(middle / source.length(video))
                if mode == "crop":
                    assert frames == list(range(frames[0], frames[0] + 2 * raw_frames, 2))
                if mode == "dropout":
                    assert set(np.diff(frames)) <= {2, 4}
                if mode in ("crop", "dropout"):
                    assert rate == 1.0


def test_two_views_of_one_raw_clip_are_augmented_each_by_a_draw_of_its_own() -> None:
    source = NumberedSource(*range(60, 80))
    cell = numbered_cell(sampling={"pair": {"name": "same"}}, clip={"stride": 2}, temporal=SSTL, batch_size=20)
    (batch,) = batches(cell, source, PAIR)
    query, key = (batch.views[name] for name in PAIR)
    assert (query.distortion != key.distortion).all()
    different = 0
    for row, video in enumerate(query.video.tolist()):
        sampler = pair_sampler(cell)
        assert sampler is not None
        start = sampler.place(source.length(video), pair_stream(video))["query"].start
        held = [numbers(view.clips[row]) for view in (query, key)]
        assert all(set(frames) <= set(range(start, start + 56, 2)) for frames in held)
        different += held[0] != held[1]
    assert different >= 18
    assert len(set(query.distortion.tolist())) == 20


@pytest.mark.parametrize("pair", names("pair sampler"))
def test_it_follows_any_pair(pair: str) -> None:
    source = NumberedSource(*[250] * 4)
    cell = numbered_cell(sampling={"pair": {"name": pair}}, clip={"stride": 2}, temporal=SSTL)
    sampler = pair_sampler(cell)
    assert sampler is not None
    for batch in batches(cell, source, PAIR):
        for row, video in enumerate(batch.views["query"].video.tolist()):
            raw = sampler.place(250, pair_stream(video))
            for name, view in batch.views.items():
                left, rate = by_loops(cell.temporal, 16, stream(SEED, 0, video, name, "temporal"))
                assert numbers(view.clips[row]) == [raw[name].indices(250)[i] for i in left]
                assert view.rate[row].item() == pytest.approx(raw[name].stride * rate)


def test_supervised_pretraining_has_it_too() -> None:
    source = NumberedSource(100, 110, 120, 130)
    cell = numbered_cell(pretraining="supervised", clip={"stride": 2}, temporal=SSTL)
    for batch in batches(cell, source, ("query",)):
        view = batch.views["query"]
        for row, video in enumerate(view.video.tolist()):
            length = source.length(video)
            start = uniform_start(length, cell.placed_clip, stream(SEED, 0, video, "query", "placement"))
            left, rate = by_loops(cell.temporal, 16, stream(SEED, 0, video, "query", "temporal"))
            assert numbers(view.clips[row]) == [start + 2 * i for i in left]
            assert view.distortion[row].item() == pytest.approx(rate)
            assert start + 2 * 27 < length


def test_windows_take_no_part_in_it() -> None:
    source = NumberedSource(200, 210)
    windows = {"windows": {"name": "global_local"}}
    made = ("query", "global", "local/1/copy")
    (plain,), (augmented,) = (
        batches(numbered_cell(sampling=windows, temporal=temporal), source, made) for temporal in (None, SSTL)
    )
    for name in made[1:]:
        assert torch.equal(plain.views[name].clips, augmented.views[name].clips)
        assert (augmented.views[name].distortion == 1).all()
    assert (augmented.views["query"].distortion > 1).all()


def test_a_video_shorter_than_the_buffered_clip_wraps_and_is_counted() -> None:
    source = NumberedSource(27, 28, 20, 40)
    cell = numbered_cell(clip={"stride": 1}, temporal=SSTL)
    assert cell.placed_clip.span == 28
    pipeline = ViewPipeline(cell, source, PAIR)
    for epoch in range(5):
        out = pipeline.empty(1)
        pipeline(2, epoch, {name: rows[0] for name, rows in out.items()})
        assert all(0 <= frame < 20 for rows in out.values() for frame in numbers(rows[0]))
    loaders = [
        PretrainingLoader(one, source, view_names=PAIR, rank=0, world_size=1)
        for one in (cell, numbered_cell(clip={"stride": 1}))
    ]
    assert [loader.too_short for loader in loaders] == [2, 0]


def test_a_buffered_clip_longer_than_every_video_is_refused() -> None:
    expected = (
        r"clip\.frames 16 at clip\.stride 1 with augment\.temporal\.buffer_frames 12 spans 28 frames .* has 27; lower "
        r"augment\.temporal\.buffer_frames, clip\.frames or clip\.stride"
    )
    with pytest.raises(ConfigError, match=expected):
        batches(numbered_cell(clip={"stride": 1}, temporal=SSTL), NumberedSource(27, 20), PAIR)


@pytest.mark.parametrize(
    ("temporal", "message"),
    [
        ({"buffer_frames": 4, "dropped_frames": 5}, r"dropped_frames 5 of buffer_frames 4 leaves too few frames"),
        ({"dropped_frames": 1}, r"dropped_frames 1 of buffer_frames 0 leaves too few frames"),
        (
            {"max_rate": 1.25},
            r"max_rate 1\.25 drops frames, and buffer_frames 0 has none to spare.*raise buffer_frames",
        ),
        ({**SSTL, "dropped_frames": 12}, r"max_rate 1\.25 .* buffer_frames 12 .* addition to dropped_frames 12"),
        (
            {"buffer_frames": 20, "dropped_frames": 18},
            r"augment\.temporal\.dropped_frames 18: no two of them are adjacent, so at most 17 .* 16 frames of a clip",
        ),
        ({"buffer_frames": -1}, r"augment\.temporal\.buffer_frames"),
        ({"buffer_frames": 4, "max_rate": 0.8}, r"augment\.temporal\.max_rate"),
        ({"buffer": 4}, r"augment\.temporal\.buffer\b"),
    ],
)
def test_what_cannot_be_done_is_refused_by_its_keys(temporal: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        numbered_cell(temporal=temporal)
    assert "augment.temporal" in str(caught.value)


def test_as_many_as_can_stand_apart_may_be_dropped() -> None:
    assert numbered_cell(temporal={"buffer_frames": 17, "dropped_frames": 17}).temporal.dropped_frames == 17
    assert kept(0, 16, buffer_frames=17, dropped_frames=17) == tuple(range(1, 33, 2))
    numbered_cell(clip={"input": "difference"}, temporal={"buffer_frames": 18, "dropped_frames": 18})


def test_switched_off_it_moves_nothing(source: VideoSource) -> None:
    placement = Placement(3, 16, 2)
    assert augment_in_time(placement, TemporalOptions(), 16, stream("off")) is placement
    off = small_cell(augment={"temporal": {"buffer_frames": 0}})
    assert off.placed_clip == off.clip
    for one, other in zip(batches(small_cell(), source, PAIR), batches(off, source, PAIR), strict=True):
        for name in PAIR:
            assert torch.equal(one.views[name].clips, other.views[name].clips)
            assert (one.views[name].distortion == 1).all()
            assert (one.views[name].rate == 2).all()
