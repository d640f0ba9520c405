"""The overlap sampler: realised overlap against the label, the recipe's priors, balance, and what does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats
from sklearn.neighbors import KNeighborsClassifier

from raysl.data.source import VideoSource
from raysl.errors import ConfigError
from raysl.published import published_table
from raysl.streams import stream
from raysl.views.augmentation_options import Box
from raysl.views.loader import PretrainingLoader
from raysl.views.overlapping_crops import second_crop
from raysl.views.pair_sampler import Pair, draw_rate, pair_classes, pair_samplers
from raysl.views.pairs.overlap import OverlapOptions, OverlapPair
from tests.views.numbered import NumberedSource, batches, numbered_cell, numbers
from tests.views.sets import clip_options, small_cell

FRAME = (256, 341)
FIVE = (0.2, 0.4, 0.6, 0.8, 1.0)
SPATIAL, TEMPORAL = "spatial_overlap", "temporal_overlap"
SHARES, FRAMES = [0, 0.02, 0.05, 0.29, 0.5, 0.95, 1], [28, 64, 72, 121, 165, 349, 1776]
"""Quantiles of the lengths of UCF101 (recipe, section 0), between which they are taken to be uniform."""
OPTIONS: list[dict[str, Any]] = [{}, {"label_balance": "balanced"}]
PUBLISHED = published_table("cstp_t4").candidate_values


def sampler(stride: int = 1, **options: Any) -> OverlapPair:
    return OverlapPair(OverlapOptions(**options), clip_options(frames=16, stride=stride))


def drawn(made: OverlapPair, many: int, length: int = 90, size: tuple[int, int] = FRAME) -> Iterator[Pair]:
    return (made.pair(length, size, stream("overlap", i)) for i in range(many))


@cache
def balanced(many: int, length: int, size: tuple[int, int]) -> list[Pair]:
    """Drawn once for all tests that look at them."""
    return list(drawn(sampler(label_balance="balanced"), many, length, size))


def shared_area(pair: Pair) -> float:
    (top, left, height, width), other = pair.boxes["query"], pair.boxes["key"]
    rows = min(top + height, other[0] + other[2]) - max(top, other[0])
    columns = min(left + width, other[1] + other[3]) - max(left, other[1])
    return max(rows, 0) * max(columns, 0) / (height * width)


def shared_duration(pair: Pair, span: int) -> float:
    starts = [pair.placements[name].start for name in ("query", "key")]
    return 1 - abs(starts[0] - starts[1]) / (span - 1)


def inside(box: Box, size: tuple[int, int]) -> bool:
    return 0 <= box[0] <= box[0] + box[2] <= size[0] and 0 <= box[1] <= box[1] + box[3] <= size[1]


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("candidates", PUBLISHED.values(), ids=len)
def test_the_realised_overlap_is_the_label(candidates: tuple[float, ...], options: dict[str, Any]) -> None:
    """Area to a row and a column of the crop, duration to a frame, of clips inside the video and the frame."""
    made = sampler(stride=2, candidates=candidates, **options)
    errors = []
    for pair in drawn(made, 400):
        spatial, temporal = candidates[pair.targets[SPATIAL]], candidates[pair.targets[TEMPORAL]]
        _, _, height, width = pair.boxes["query"]
        errors.append(shared_area(pair) - spatial)
        assert abs(errors[-1]) <= 1 / height + 1 / width
        assert temporal <= shared_duration(pair, 31) + 1e-9
        assert shared_duration(pair, 31) < temporal + 1 / 30
        assert pair.boxes["key"][2:] == (height, width)
        assert all(inside(box, FRAME) for box in pair.boxes.values())
        for placement in pair.placements.values():
            assert (placement.frames, placement.stride) == (16, 2)
            assert 0 <= placement.start <= 90 - 31
    assert np.mean(np.abs(errors)) < 0.003


def test_the_duration_is_exact_where_the_rate_divides_it() -> None:
    """(1 - 0.8) * 15 is 2.9999999999999996 in floating point, and 3."""
    for pair in drawn(sampler(), 300):
        assert shared_duration(pair, 16) == pytest.approx(FIVE[pair.targets[TEMPORAL]], abs=1e-9)


def shares(made: list[Pair], name: str) -> NDArray[np.float64]:
    return np.bincount([pair.targets[name] for pair in made], minlength=5) / len(made)


def ucf101(many: int, **options: Any) -> tuple[list[Pair], NDArray[np.float64]]:
    """Pairs of videos as long as those of UCF101, and the shares of the four playback rates."""
    samplers = [sampler(stride, **options) for stride in (1, 2, 4, 8)]
    lengths = np.interp(np.random.default_rng(0).random(many), SHARES, FRAMES).astype(int).tolist()
    spans = [made.span for made in samplers]
    rates = [draw_rate(spans, length, stream("rate", i)) for i, length in enumerate(lengths)]
    pairs = [
        samplers[rate].pair(length, FRAME, stream("ucf101", i))
        for i, (rate, length) in enumerate(zip(rates, lengths, strict=True))
    ]
    return pairs, np.bincount(rates, minlength=4) / many


@pytest.mark.slow
def test_released_labels_have_the_recipes_priors() -> None:
    """To 4 standard errors of 6000 draws, and 0.005 for lengths between quantiles."""
    pairs, rates = ucf101(6000)
    for found, expected in (
        (shares(pairs, SPATIAL), [0.010, 0.033, 0.085, 0.208, 0.664]),
        (shares(pairs, TEMPORAL), [0.132, 0.149, 0.175, 0.222, 0.322]),
        (rates, [0.277, 0.276, 0.269, 0.178]),
    ):
        prior = np.array(expected)
        assert (np.abs(found - prior) < 4 * np.sqrt(prior * (1 - prior) / 6000) + 0.005).all(), found


def test_balanced_labels_are_uniform_and_independent_of_each_other_and_of_the_playback_rate() -> None:
    pairs, rates = ucf101(1500, label_balance="balanced")
    for name in (SPATIAL, TEMPORAL):
        assert stats.chisquare(np.bincount([pair.targets[name] for pair in pairs])).pvalue > 1e-3
    strides = [pair.placements["query"].stride for pair in pairs]
    table = stats.contingency.crosstab([pair.targets[TEMPORAL] for pair in pairs], strides).count
    assert table.shape == (5, 4)
    assert stats.chi2_contingency(table).pvalue > 1e-3
    both = stats.contingency.crosstab(*([pair.targets[name] for pair in pairs] for name in (SPATIAL, TEMPORAL))).count
    assert stats.chi2_contingency(both).pvalue > 1e-3
    assert rates.min() > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("size", [FRAME, (64, 64)])
def test_the_size_of_balanced_crops_says_nothing(size: tuple[int, int]) -> None:
    """The shortcut that the recipe warns of: a small overlap would go with a small crop."""
    pairs = balanced(3000 if size == FRAME else 1200, 300, size)[:1200]
    labels = np.array([pair.targets[SPATIAL] for pair in pairs])
    sizes = np.array([pair.boxes["query"][2:] for pair in pairs])
    for of_size in (sizes[:, 0], sizes[:, 1], sizes.prod(1)):
        assert stats.kruskal(*(of_size[labels == label] for label in range(5))).pvalue > 1e-3
    assert found_by_neighbours(sizes, labels) < 0.2 + 4 * np.sqrt(0.16 / 400)


@pytest.mark.parametrize("name", ["query", "key"])
def test_the_place_of_one_balanced_clip_says_little(name: str) -> None:
    """A quarter of five labels from where a crop lies, a fifth, as chance, from where a clip of a long video starts."""
    pairs = balanced(3000, 300, FRAME)
    spatial, temporal = (np.array([pair.targets[target] for pair in pairs]) for target in (SPATIAL, TEMPORAL))
    boxes = np.array([pair.boxes[name] for pair in pairs])
    starts = np.array([[pair.placements[name].start] for pair in pairs])
    assert found_by_neighbours(boxes, spatial) < 0.30
    assert found_by_neighbours(starts, temporal) < 0.2 + 4 * np.sqrt(0.16 / 1000)


def test_where_the_rate_is_kept_and_the_rest_drawn_again_the_size_tells_the_label() -> None:
    """The recipe's way (6.1), which ours replaces."""
    made, generator = sampler(), stream("leak")
    sizes, labels = [], []
    for label in generator.integers(5, size=1200).tolist():
        while True:
            first = made.pair(90, FRAME, generator).boxes["query"]
            if any(inside(second_crop(first, FIVE[label], generator), FRAME) for _ in range(10)):
                break
        sizes.append(first[2:])
        labels.append(label)
    assert found_by_neighbours(np.array(sizes), np.array(labels)) > 0.3


def found_by_neighbours(hints: NDArray[Any], labels: NDArray[Any]) -> float:
    """Share of the last third of labels that a vote of the 60 nearest of the others gives."""
    scaled, many = (hints - hints.mean(0)) / hints.std(0), len(labels) * 2 // 3
    return float(KNeighborsClassifier(60).fit(scaled[:many], labels[:many]).score(scaled[many:], labels[many:]))


def test_the_first_crop_is_the_recipes_and_the_corner_any() -> None:
    crops = np.array([pair.boxes["query"] for pair in drawn(sampler(), 1500)], float)
    area = crops[:, 2] * crops[:, 3] / (FRAME[0] * FRAME[1])
    assert 0.19 < area.min() < 0.25
    assert area.max() > 0.85
    aspect = crops[:, 3] / crops[:, 2]
    assert 0.72 < aspect.min() < aspect.max() < 1.38
    corners = {
        tuple(np.sign(np.subtract(pair.boxes["key"][:2], pair.boxes["query"][:2])))
        for pair in drawn(sampler(), 300)
        if pair.targets[SPATIAL] < 4
    }
    assert {(1, 1), (1, -1), (-1, 1), (-1, -1)} <= corners


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(("length", "fits"), [(9, False), (15, False), (16, True), (17, True), (19, True)])
def test_a_short_video_gives_equal_clips_and_the_last_label(length: int, fits: bool, options: dict[str, Any]) -> None:
    for candidates in (FIVE, (0.33, 0.66, 0.99)):
        for pair in drawn(sampler(candidates=candidates, **options), 40, length=length):
            query, key = (pair.placements[name] for name in ("query", "key"))
            if query == key:
                assert pair.targets[TEMPORAL] == len(candidates) - 1
            assert not fits or max(query.start, key.start) + 15 < length
            if not fits:
                assert query == key
            assert all(0 <= index < length for index in key.indices(length))
    labels = {pair.targets[TEMPORAL] for pair in drawn(sampler(**options), 60, length=length)}
    assert labels == ({4, 3} if length == 19 else {4})


def test_a_crop_of_the_whole_frame_has_the_last_label() -> None:
    made = sampler(min_area=1.0, min_aspect=1.0, max_aspect=1.0, candidates=(0.33, 0.66, 0.99))
    for pair in drawn(made, 3, size=(40, 40)):
        assert pair.boxes == {"query": (0, 0, 40, 40), "key": (0, 0, 40, 40)}
        assert pair.targets[SPATIAL] == 2
    with pytest.raises(ConfigError, match=r"overlap rate 0\.\d+ in frames of 40x40 pixels; lower min_area 1\.0"):
        list(drawn(sampler(min_area=1.0, min_aspect=1.0, max_aspect=1.0, label_balance="balanced"), 20, size=(40, 40)))


@pytest.mark.parametrize("size", [(32, 42), (64, 85), (85, 64), (16, 16)])
def test_small_frames_keep_both_crops_inside(size: tuple[int, int]) -> None:
    for options in OPTIONS:
        for pair in drawn(sampler(**options), 100, size=size):
            assert all(inside(box, size) for box in pair.boxes.values())
            _, _, height, width = pair.boxes["query"]
            assert abs(shared_area(pair) - FIVE[pair.targets[SPATIAL]]) <= 1 / height + 1 / width


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_equal_streams_give_equal_pairs_and_the_places_of_place(options: dict[str, Any]) -> None:
    made = sampler(**options)
    for i in range(30):
        pair = made.pair(90, FRAME, stream(i))
        assert pair == made.pair(90, FRAME, stream(i))
        assert made.place(90, stream(i)) == pair.placements


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"candidates": (0.5,)}, "candidates"),
        ({"candidates": (0.5, 0.2, 1.0)}, "candidates must increase"),
        ({"candidates": (0.5, 0.5, 1.0)}, "candidates must increase"),
        ({"candidates": (0.0, 1.0)}, "candidates"),
        ({"candidates": (0.2, 0.9)}, r"must be 0\.95 or more"),
        ({"min_area": 0.9, "max_area": 0.5}, "min_area"),
        ({"min_aspect": 2.0}, "min_aspect"),
        ({"label_balance": "uniform"}, "label_balance"),
    ],
)
def test_impossible_options_are_refused(bad: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OverlapOptions(**bad)


def overlap_cell(**changes: Any) -> Any:
    pair = {"name": "overlap", **changes.pop("pair", {})}
    return small_cell(sampling={"pair": pair, **changes.pop("sampling", {})}, **changes)


def test_what_the_placement_decides_is_counted() -> None:
    assert pair_classes(overlap_cell()) == {SPATIAL: 5, TEMPORAL: 5}
    cell = overlap_cell(pair={"candidates": [0.5, 1.0]}, sampling={"playback_rates": [1, 2, 4]})
    assert pair_classes(cell) == {SPATIAL: 2, TEMPORAL: 2, "playback_rate": 3}
    assert pair_classes(small_cell()) == {}
    assert pair_classes(overlap_cell(pretraining="supervised")) == {}
    assert [made.clip.stride for made in pair_samplers(cell)] == [2, 4, 8]


@pytest.mark.parametrize("name", ["standard", "cstp", "none"])
def test_a_batch_holds_the_boxes_and_the_answers(source: VideoSource, name: str) -> None:
    """Boxes as shares of the frame overlap by the label, whatever augmentation crops them, and times likewise."""
    cell = overlap_cell(augment={"name": name}, sampling={"playback_rates": [1, 2]}, clip={"resize": 32})
    made = PretrainingLoader(cell, source, view_names=("query", "key"), rank=0, world_size=1)
    for batch in made.epoch(0):
        query, key = batch.views["query"], batch.views["key"]
        top = torch.maximum(query.box[:, :2], key.box[:, :2])
        bottom = torch.minimum(query.box[:, :2] + query.box[:, 2:], key.box[:, :2] + key.box[:, 2:])
        area = (bottom - top).clamp(min=0).prod(1) / query.box[:, 2:].prod(1)
        rates = torch.tensor(FIVE)[batch.targets[SPATIAL]]
        assert (area - rates).abs().max() < 0.12
        assert torch.equal(query.rate, key.rate)
        assert torch.equal(batch.targets["playback_rate"], (query.rate == 4).long())
        apart = (query.center - key.center).abs() * 20 / (query.rate * 3)
        assert ((1 - apart) - torch.tensor(FIVE)[batch.targets[TEMPORAL]]).min() > -1e-4


def test_the_frames_of_a_batch_overlap_by_the_label() -> None:
    source = NumberedSource(*[240] * 12)
    cell = numbered_cell(sampling={"pair": {"name": "overlap"}, "playback_rates": [1, 2]}, clip={"stride": 5})
    seen = set()
    for batch in batches(cell, source, ("query", "key")):
        for row in range(2):
            query, key = (numbers(batch.views[name].clips[row]) for name in ("query", "key"))
            rate = batch.targets["playback_rate"][row].item()
            assert {int(step) for step in np.diff(query)} == {int(step) for step in np.diff(key)} == {5 * (rate + 1)}
            label = int(batch.targets[TEMPORAL][row])
            assert 1 - abs(query[0] - key[0]) / (query[-1] - query[0]) == pytest.approx(FIVE[label])
            seen.add(label)
    assert len(seen) > 1


def test_videos_too_short_for_the_smallest_rate_are_counted() -> None:
    source = NumberedSource(*[100] * 5, 40, 20)
    cell = numbered_cell(sampling={"pair": {"name": "overlap"}, "playback_rates": [1, 2]})
    loader = PretrainingLoader(cell, source, view_names=("query", "key"), rank=0, world_size=1)
    assert loader.too_short == 2
