"""CVRL's augmentation: probabilities, strengths, and which views differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from raysl.data.source import VideoSource
from raysl.streams import stream
from raysl.testing.augmentation import noise
from raysl.views.augmentations.cvrl import CvrlOptions
from raysl.views.augmentations.cvrl_augmentation import CvrlAugmentation
from raysl.views.augmentations.standard import StandardOptions
from raysl.views.augmentations.standard_augmentation import StandardAugmentation
from raysl.views.loader import PretrainingLoader
from raysl.views.pixel_operations import Parameters, apply
from raysl.views.random_crop import draw_crop
from tests.views.sets import clip_options, small_cell

OFF: dict[str, Any] = {"jitter": 0.0, "grey": 0.0, "flip": 0.0, "min_area": 1.0, "min_aspect": 1.0, "max_aspect": 1.0}


def cvrl(size: int = 24, **options: Any) -> CvrlAugmentation:
    return CvrlAugmentation(CvrlOptions(**options), clip_options(size=size, resize=max(size, 32)))


def draws(view: str = "query", many: int = 3000, **options: Any) -> list[Parameters]:
    made = cvrl(**options)
    return [made.draw(64, 64, stream("cvrl", i), view) for i in range(many)]


def assert_share(hits: list[bool], expected: float) -> None:
    assert abs(np.mean(hits) - expected) <= 4 * np.sqrt(expected * (1 - expected) / len(hits))


def test_the_defaults_are_algorithm_1() -> None:
    drawn = draws()
    assert_share([own.flip for own in drawn], 0.5)
    assert_share([bool(own.jitter) for own in drawn], 0.8)
    assert_share([own.grey for own in drawn], 0.2)
    assert all(own.solarise is None for own in drawn)
    sigmas = [own.blur for own in drawn]
    assert stats.kstest(np.array(sigmas, float), stats.uniform(0.1, 1.9).cdf).pvalue > 1e-3
    ranges = {"brightness": (0.2, 1.8), "contrast": (0.2, 1.8), "saturation": (0.2, 1.8), "hue": (-0.2, 0.2)}
    for name, (low, high) in ranges.items():
        amounts = [amount for own in drawn for kind, amount in own.jitter if kind == name]
        assert stats.kstest(amounts, stats.uniform(low, high - low).cdf).pvalue > 1e-3


def test_area_and_aspect_are_uniform() -> None:
    """In a frame so large that a crop of these areas always fits, and rounding does not show."""
    made = cvrl(max_area=0.4)
    crops = np.array([made.draw(20_000, 20_000, stream("aspect", i)).crop for i in range(3000)], float)
    aspect, area = crops[:, 3] / crops[:, 2], crops[:, 2] * crops[:, 3] / 4e8
    assert stats.kstest(aspect, stats.uniform(0.5, 1.5).cdf).pvalue > 1e-3
    assert stats.kstest(area, stats.uniform(0.3, 0.1).cdf).pvalue > 1e-3
    logarithmic = [draw_crop(20_000, 20_000, (0.3, 0.4), (0.5, 2), stream("aspect", i)) for i in range(3000)]
    ratios = np.log2([width / height for _, _, height, width in logarithmic])
    assert stats.kstest(ratios, stats.uniform(-1, 2).cdf).pvalue > 1e-3


def test_without_blur_and_with_one_aspect_it_is_the_standard_one() -> None:
    shared: dict[str, Any] = {"min_aspect": 1.0, "max_aspect": 1.0}
    ours, standard = cvrl(blur=0.0, **shared), StandardAugmentation(StandardOptions(**shared), clip_options())
    for key in range(20):
        one, other = ours(noise(), stream(key)), standard(noise(), stream(key))
        assert torch.equal(one.clip, other.clip)
        assert one.box == other.box


@pytest.mark.parametrize(
    "off", [{"blur": 0.0}, {"hue": 0.0, "contrast": 0.0}, {"jitter": 0.0}, {"flip": 0.0, "grey": 0.0}, {"solarise": 0}]
)
def test_switching_an_operation_off_moves_no_other_draw(off: dict[str, Any]) -> None:
    every: dict[str, Any] = {"jitter": 1.0, "solarise": 0.5}
    for with_all, without in zip(draws(many=200, **every), draws(many=200, **every | off), strict=True):
        kept = tuple(one for one in with_all.jitter if off.get(one.name) != 0 and "jitter" not in off)
        changed: dict[str, Any] = {"flip": False, "grey": False, "blur": None, "solarise": None}
        expected = with_all._replace(jitter=kept, **{name: changed[name] for name in off if name in changed})
        assert without == expected


def test_asymmetric_blurs_and_solarises_as_the_code() -> None:
    query, key = (draws(view, asymmetric=True) for view in ("query", "key"))
    assert all(own.blur is not None and own.solarise is None for own in query)
    assert_share([own.blur is not None for own in key], 0.1)
    assert_share([own.solarise is not None for own in key], 0.2)
    assert {own.solarise for own in key} == {None, 0.5}
    assert [own._replace(blur=None, solarise=None) for own in key] == [own._replace(blur=None) for own in query]
    assert draws("key", many=100) == draws("query", many=100)
    assert draws("local/1", many=100, asymmetric=True) == query[:100]


def test_a_key_that_nothing_hit_is_sharp_and_its_query_blurred() -> None:
    made = cvrl(**OFF, asymmetric=True, min_sigma=0.5)
    frames = noise(height=24, width=24)
    plain = Parameters((0, 0, 24, 24), flip=False, jitter=(), grey=False)
    keys = [key for key in range(40) if made.draw(24, 24, stream(key), "key") == plain]
    assert 20 < len(keys) < 38
    for key in keys:
        assert torch.equal(made(frames, stream(key), "key").clip, frames.transpose(0, 1).float() / 255)
        query = made(frames, stream(key), "query").clip
        drawn = made.draw(24, 24, stream(key), "query")
        assert torch.equal(query, apply(frames, drawn, 24).transpose(0, 1))
        assert (query - frames.transpose(0, 1).float() / 255).abs().mean() > 0.02


def test_the_pipeline_tells_the_augmentation_which_view_it_makes(source: VideoSource) -> None:
    """Both views of a static pair, without any other operation: the key is the plain crop wherever nothing hit it."""
    augment = {"name": "cvrl", "asymmetric": True, "min_sigma": 2.0} | OFF
    cell = small_cell(augment=augment)
    batch = next(iter(PretrainingLoader(cell, source, view_names=("query", "key"), rank=0, world_size=1).epoch(0)))
    contrast = {name: view.clips.diff(dim=-1).abs().mean() for name, view in batch.views.items()}
    assert contrast["key"] > 1.1 * contrast["query"]


def test_consistent_over_frames_or_not() -> None:
    static = noise(1).expand(5, -1, -1, -1)
    for options in ({}, {"solarise": 0.5}, {"asymmetric": True}):
        for view in ("query", "key"):
            clip, _ = cvrl(48, **options)(static, stream(2), view)
            assert torch.equal(clip, clip[:, :1].expand_as(clip))
    clip, box = cvrl(temporally_consistent=False)(static, stream(4))
    assert all(not torch.equal(clip[:, i], clip[:, j]) for i in range(5) for j in range(i))
    generator = stream(4)
    drawn = [cvrl().draw(40, 56, generator) for _ in range(5)]
    assert box == pytest.approx(np.mean([own.crop for own in drawn], axis=0) / [40, 56, 40, 56])


@pytest.mark.parametrize(
    "bad",
    [
        {"min_sigma": 3.0},
        {"min_sigma": 0.0},
        {"solarise": 1.5},
        {"asymmetric": True, "blur": 0.5},
        {"asymmetric": True, "solarise": 0.2},
        {"min_area": 0.9, "max_area": 0.5},
    ],
)
def test_impossible_options_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        CvrlOptions(**bad)
