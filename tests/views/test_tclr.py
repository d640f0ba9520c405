"""TCLR's augmentation: what is drawn and how often, and each operation alone against torchvision or a formula."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torchvision.transforms.v2 import InterpolationMode, functional

from raysl.config.sections import ClipOptions
from raysl.streams import stream
from raysl.testing.augmentation import noise
from raysl.views.augmentations.tclr_augmentation import TclrAugmentation, TclrParameters
from raysl.views.augmentations.tclr_options import TclrOptions
from raysl.views.color import adjust_gamma
from raysl.views.pixel_operations import Jitter
from tests.views.sets import clip_options

NOTHING = TclrParameters(
    crop=(0, 0, 24, 24),
    flip=False,
    jitter=(),
    grey=False,
    gamma=None,
    dropped=None,
    angles=None,
    blur=None,
    erased=None,
)
TABLE_8: dict[str, Any] = {"blur": 0.3, "shear_rotate": 0.3}
CROP_AND_FLIP: dict[str, Any] = {
    "contrast_probability": 0,
    "color_probability": 0,
    "grey": 0,
    "drop_channel": 0,
    "erase": 0,
}


def tclr(size: int = 24, **options: Any) -> TclrAugmentation:
    options = {name: float(value) if type(value) is int else value for name, value in options.items()}
    return TclrAugmentation(TclrOptions(**options), clip_options(size=size, resize=max(size, 32)))


def draws(many: int = 4000, size: int = 112, **options: Any) -> list[TclrParameters]:
    made = tclr(size, **options)
    return [made.draw(240, 320, stream("tclr", i)) for i in range(many)]


def assert_share(hits: list[bool], expected: float) -> None:
    assert abs(np.mean(hits) - expected) <= 4 * np.sqrt(expected * (1 - expected) / len(hits))


def assert_uniform(values: list[float], low: float, high: float) -> None:
    assert low <= min(values) <= max(values) <= high
    assert stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 1e-3


def alone(frames: torch.Tensor, **changed: Any) -> torch.Tensor:
    """What one operation makes of frames that already have the size of the clip."""
    return tclr().apply(frames, NOTHING._replace(**changed))


def test_the_defaults_are_the_released_loaders() -> None:
    drawn = draws()
    assert_share([own.flip for own in drawn], 0.5)
    assert_share([own.grey for own in drawn], 0.175)
    assert_share([own.dropped is not None for own in drawn], 0.125)
    assert_share([own.gamma is not None for own in drawn if own.grey], 0.75)
    assert_share([own.erased is not None for own in drawn], 0.5)
    assert all(own.blur is None and own.angles is None for own in drawn)
    amounts = {name: [one.amount for own in drawn for one in own.jitter if one.name == name] for name in RANGES}
    for name, (probability, low, high) in RANGES.items():
        assert_share([any(one.name == name for one in own.jitter) for own in drawn], probability)
        assert_uniform(amounts[name], low, high)
    assert_uniform([own.gamma for own in drawn if own.gamma is not None], 0.75, 1.25)


RANGES = {
    "contrast": (0.25, 0.75, 1.25),
    "hue": (0.3, -0.1, 0.1),
    "saturation": (0.3, 0.75, 1.25),
    "brightness": (0.3, 0.75, 1.25),
}


def test_contrast_comes_first_or_last_equally_often_and_the_others_in_their_order() -> None:
    jitters = [[name for name, _ in own.jitter] for own in draws(color_probability=1.0)]
    colors = ["hue", "saturation", "brightness"]
    assert_share([jitter == ["contrast", *colors] for jitter in jitters], 0.125)
    assert_share([jitter == [*colors, "contrast"] for jitter in jitters], 0.125)
    assert_share([jitter == colors for jitter in jitters], 0.75)


def test_a_grey_clip_keeps_all_channels_and_gamma_is_of_grey_clips() -> None:
    drawn = draws(grey=0.5, drop_channel=0.5)
    assert all(own.grey == (own.dropped is None) for own in drawn)
    assert all(own.grey for own in drawn if own.gamma is not None)
    dropped = np.bincount([own.dropped for own in drawn if own.dropped is not None])
    assert stats.chisquare(dropped).pvalue > 1e-3
    assert len(dropped) == 3


def test_the_crop_is_a_square_anywhere_in_the_frame() -> None:
    made = tclr()
    crops = np.array([made.draw(24_000, 32_000, stream("crop", i)).crop for i in range(3000)], float)
    top, left, height, width = crops.T
    assert (height == width).all()
    assert_uniform((height / 24_000).tolist(), 0.6, 1.0)
    assert_uniform((top / (24_000 - height + 1)).tolist(), 0, 1)
    assert_uniform((left / (32_000 - width + 1)).tolist(), 0, 1)


@pytest.mark.parametrize(("height", "width"), [(24, 32), (32, 24), (7, 7), (1, 9)])
def test_the_crop_lies_inside_any_frame_and_reaches_its_edges(height: int, width: int) -> None:
    made = tclr(min_side=0.5)
    crops = np.array([made.draw(height, width, stream("edge", i)).crop for i in range(500)])
    bottom, right = crops[:, 0] + crops[:, 2], crops[:, 1] + crops[:, 3]
    assert (crops.min(), bottom.max(), right.max(), crops[:, :2].max(1).min()) == (0, height, width, 0)
    sides = crops[:, 2]
    short = min(height, width)
    assert max(1, int(0.5 * short)) <= sides.min() <= sides.max() <= short


@pytest.mark.parametrize(("size", "shortest", "longest"), [(112, 9, 18), (224, 18, 36), (32, 3, 5), (16, 1, 3)])
def test_the_erased_rectangle_is_in_proportion_and_anywhere(size: int, shortest: int, longest: int) -> None:
    erased = np.array([own.erased for own in draws(3000, size, erase=1.0)])
    for places in erased[:, :2].T:
        assert set(places) <= set(range(size))
        assert stats.chisquare(np.bincount(places, minlength=size)).pvalue > 1e-3
    for sides in erased[:, 2:].T:
        counts = np.bincount(sides)[shortest:]
        assert len(counts) == longest - shortest + 1
        assert stats.chisquare(counts).pvalue > 1e-3


def test_erasing_zeroes_its_rectangle_alone_and_stops_at_the_edge() -> None:
    frames = noise(3, 24, 24).clamp(min=1)
    for top, left, height, width in ((3, 5, 4, 2), (22, 21, 4, 4)):
        expected = functional.erase(frames.float() / 255, top, left, height, width, torch.zeros(1))
        result = alone(frames, erased=(top, left, height, width))
        assert torch.equal(result, expected)
        assert (result == 0).sum() == 9 * min(height, 24 - top) * min(width, 24 - left)


@pytest.mark.usefixtures("uint8_resize")
def test_crop_and_flip_are_torchvisions() -> None:
    frames, crop = noise(), (3, 7, 31, 31)
    expected = functional.horizontal_flip(functional.resized_crop(frames, *crop, [24, 24], antialias=True))
    assert torch.equal(alone(frames, crop=crop, flip=True), expected.float() / 255)


@pytest.mark.parametrize(
    ("name", "amount"), [("contrast", 1.2), ("contrast", 0.8), ("hue", 0.1), ("saturation", 1.25), ("brightness", 0.75)]
)
def test_colours_are_torchvisions(name: str, amount: float) -> None:
    frames = noise(2, 24, 24)
    expected = getattr(functional, f"adjust_{name}")(frames.float() / 255, amount)
    torch.testing.assert_close(alone(frames, jitter=(Jitter(name, amount),)), expected, atol=2e-5, rtol=0)


def test_grey_gamma_and_a_dropped_channel() -> None:
    frames = noise(2, 24, 24)
    pixels = frames.double() / 255
    grey = (
        (pixels * torch.tensor([0.2989, 0.587, 0.114]).double().view(3, 1, 1))
        .sum(1, keepdim=True)
        .expand(-1, 3, -1, -1)
    )
    torch.testing.assert_close(alone(frames, grey=True).double(), grey, atol=1e-6, rtol=0)
    torch.testing.assert_close(alone(frames, grey=True, gamma=0.8).double(), grey**0.8, atol=1e-6, rtol=0)
    without_green = alone(frames, dropped=1)
    assert (without_green[:, 1] == 0).all()
    assert torch.equal(without_green[:, [0, 2]], frames[:, [0, 2]].float() / 255)


def test_blur_is_torchvisions() -> None:
    frames = noise(2, 24, 24)
    for sigma, radius in ((0.3, 1), (1.1, 2), (2.0, 3)):
        expected = functional.gaussian_blur(frames.float() / 255, [2 * radius + 1] * 2, [sigma] * 2)
        torch.testing.assert_close(alone(frames, blur=(sigma, radius)), expected, atol=1e-5, rtol=0)


def test_shear_and_rotation_turn_about_the_centre() -> None:
    """A square frame: bilinear at the places that the inverse of rotation after shear gives, black outside."""
    angle, shear = 9.0, -6.0
    frames = noise(1, 24, 24)
    turn, slant = np.deg2rad(angle), np.tan(np.deg2rad(shear))
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    inverse = np.linalg.inv(rotation @ np.array([[1.0, -slant], [0.0, 1.0]]))
    columns, rows = np.meshgrid(np.arange(24) - 11.5, np.arange(24) - 11.5)
    x, y = np.tensordot(inverse, np.stack([columns, rows]), 1) + 11.5
    padded = np.pad(frames[0].numpy() / 255, ((0, 0), (8, 8), (8, 8)))
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    expected = sum(
        padded[:, top + 8 + down, left + 8 + over] * abs(1 - down - (y - top)) * abs(1 - over - (x - left))
        for down in (0, 1)
        for over in (0, 1)
    )
    result = alone(frames, angles=(angle, shear))[0].double()
    torch.testing.assert_close(result, torch.from_numpy(expected), atol=1e-4, rtol=0)
    outside = torch.from_numpy((x <= -1) | (x >= 24) | (y <= -1) | (y >= 24))
    assert outside.any()
    assert (result[:, outside] == 0).all()
    torchvisions = functional.affine(
        frames.float() / 255, angle, [0, 0], 1.0, [shear, 0.0], interpolation=InterpolationMode.BILINEAR
    )
    torch.testing.assert_close(result.float(), torchvisions[0], atol=1e-6, rtol=0)


def test_table_8_adds_blur_and_shear_with_rotation() -> None:
    drawn = draws(**TABLE_8)
    blurs = [own.blur for own in drawn if own.blur is not None]
    angles = [own.angles for own in drawn if own.angles is not None]
    assert_share([own.blur is not None for own in drawn], 0.3)
    assert_share([own.angles is not None for own in drawn], 0.3)
    assert_uniform([sigma for sigma, _ in blurs], 0.1, 2.0)
    assert {radius for _, radius in blurs} == {1, 2, 3}
    for which in (0, 1):
        assert_uniform([pair[which] for pair in angles], -10, 10)
    assert [own._replace(blur=None, angles=None) for own in drawn] == draws()


@pytest.mark.usefixtures("uint8_resize")
def test_the_order_is_crop_colour_grey_then_geometry_then_erasing() -> None:
    drawn = NOTHING._replace(
        crop=(1, 2, 30, 30),
        jitter=(Jitter("brightness", 1.2),),
        grey=True,
        gamma=1.2,
        angles=(10.0, 0.0),
        blur=(1.0, 2),
    )
    last = drawn._replace(erased=(4, 4, 5, 5))
    frames = noise()
    result = tclr().apply(frames, last)
    pixels = functional.resized_crop(frames, 1, 2, 30, 30, [24, 24], antialias=True).float() / 255
    pixels = functional.rgb_to_grayscale(functional.adjust_brightness(pixels, 1.2), 3) ** 1.2
    pixels = functional.affine(pixels, 10.0, [0, 0], 1.0, [0.0, 0.0], interpolation=InterpolationMode.BILINEAR)
    pixels = functional.gaussian_blur(pixels, [5, 5], [1.0, 1.0])
    pixels[..., 4:9, 4:9] = 0
    torch.testing.assert_close(result, pixels, atol=2e-5, rtol=0)


SWITCHED_OFF: list[tuple[str, dict[str, Any]]] = [
    ("flip", {"flip": False}),
    ("grey", {"grey": False, "gamma": None}),
    ("gamma_probability", {"gamma": None}),
    ("drop_channel", {"dropped": None}),
    ("erase", {"erased": None}),
    ("blur", {"blur": None}),
    ("shear_rotate", {"angles": None}),
]


@pytest.mark.parametrize(("off", "changed"), SWITCHED_OFF)
def test_switching_an_operation_off_moves_no_other_draw(off: str, changed: dict[str, Any]) -> None:
    for every, without in zip(draws(300, **TABLE_8), draws(300, **TABLE_8 | {off: 0}), strict=True):
        assert without == every._replace(**changed)


@pytest.mark.parametrize("off", [*RANGES, "color_probability", "contrast_probability"])
def test_switching_a_colour_off_moves_no_other_draw(off: str) -> None:
    gone = {"color_probability": {"hue", "saturation", "brightness"}, "contrast_probability": {"contrast"}}.get(
        off, {off}
    )
    for every, without in zip(draws(300), draws(300, **{off: 0}), strict=True):
        assert without == every._replace(jitter=tuple(one for one in every.jitter if one.name not in gone))


def test_a_clip_draws_equally_many_numbers_whatever_is_on() -> None:
    after = set()
    for options in ({}, TABLE_8, CROP_AND_FLIP, {"hue": 0, "min_side": 1.0, "erase": 0}):
        generator = stream("parity")
        tclr(**options).draw(40, 56, generator)
        after.add(generator.random())
    assert len(after) == 1


def test_with_zeros_it_is_the_crop_scale_and_flip_of_fine_tuning() -> None:
    made = tclr(**CROP_AND_FLIP)
    for key in range(50):
        drawn = made.draw(40, 56, stream(key))
        assert drawn == NOTHING._replace(crop=drawn.crop, flip=drawn.flip)
    assert {made.draw(40, 56, stream(key)).flip for key in range(50)} == {True, False}


def test_one_draw_serves_all_frames_or_each_has_its_own() -> None:
    static = noise(1).expand(5, -1, -1, -1)
    everything: dict[str, Any] = {
        "grey": 0.5,
        "gamma_probability": 1.0,
        "drop_channel": 0.5,
        "blur": 1.0,
        "shear_rotate": 1.0,
        "erase": 1.0,
    }
    for key in range(20):
        clip, _ = tclr(**everything, contrast_probability=1.0, color_probability=1.0)(static, stream(key))
        assert torch.equal(clip, clip[:, :1].expand_as(clip))
    clip, box = tclr(temporally_consistent=False)(static, stream(4))
    assert all(not torch.equal(clip[:, i], clip[:, j]) for i in range(5) for j in range(i))
    generator = stream(4)
    drawn = [tclr().draw(40, 56, generator) for _ in range(5)]
    assert box == pytest.approx(np.mean([own.crop for own in drawn], axis=0) / [40, 56, 40, 56])
    assert torch.equal(clip[:, 3], tclr().apply(static[:1], drawn[3])[0])


def test_the_box_is_the_crops() -> None:
    _, box = tclr()(noise(), stream(7))
    top, left, height, width = tclr().draw(40, 56, stream(7)).crop
    assert box == (top / 40, left / 56, height / 40, width / 56)


def test_gamma_rounds_equal_frames_alike_on_any_number_of_threads() -> None:
    static = (noise(1, 111, 113).float() / 255).repeat(3, 1, 1, 1)
    results = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(static.clone())
            adjust_gamma(results[-1], 0.83)
    finally:
        torch.set_num_threads(1)
    torch.testing.assert_close(results[0], functional.adjust_gamma(static, 0.83), atol=1e-6, rtol=0)
    assert all(torch.equal(frame, results[0][0]) for result in results for frame in result)


def test_the_clip_as_published() -> None:
    made = TclrAugmentation(TclrOptions(), ClipOptions(frames=16, stride=4, size=112, resize=240))
    clip, _ = made(noise(2, 240, 320), stream(1))
    assert clip.shape == (3, 2, 112, 112)


@pytest.mark.parametrize(
    "bad",
    [
        {"min_side": 0.9, "max_side": 0.8},
        {"min_side": 0.0},
        {"min_sigma": 3.0},
        {"grey": 0.9},
        {"gamma": 1.0},
        {"hue": 0.6},
        {"contrast": 1.5},
        {"max_angle": 60.0},
    ],
)
def test_impossible_options_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        TclrOptions(**bad)
