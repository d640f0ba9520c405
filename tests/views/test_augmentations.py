"""Every augmentation keeps the contract; then the standard one, against torchvision's own functions."""

from __future__ import annotations

import colorsys
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional

from raysl.config.component import find, names
from raysl.streams import stream
from raysl.testing import AugmentationContract
from raysl.testing.augmentation import noise
from raysl.views.augmentation import Augmentation
from raysl.views.augmentations.standard import StandardOptions
from raysl.views.augmentations.standard_augmentation import StandardAugmentation
from raysl.views.center_crop import center_box, center_crop
from raysl.views.color import adjust_hue, rotate_hue
from raysl.views.pixel_operations import OPERATIONS, YIQ, Jitter, Parameters, apply
from tests.views.sets import clip_options


def built(name: str, **options: Any) -> Augmentation:
    component = find("augmentation", name)
    augmentation: Augmentation = component.build(component.options(**options), clip_options())
    return augmentation


def standard(**options: Any) -> StandardAugmentation:
    return StandardAugmentation(StandardOptions(**options), clip_options())


class TestAugmentations(AugmentationContract):
    @pytest.fixture(autouse=True, params=names("augmentation"))
    def one(self, request: pytest.FixtureRequest) -> None:
        self.component = request.param
        if self.component == "cstp":
            self.once = {"pick_channel": 0.0}


def test_without_temporal_consistency_every_frame_draws_its_own() -> None:
    static = noise(1).expand(5, -1, -1, -1)
    clip, box = standard(temporally_consistent=False)(static, stream(4))
    assert all(not torch.equal(clip[:, i], clip[:, j]) for i in range(5) for j in range(i))
    generator = stream(4)
    drawn = [standard().draw(40, 56, generator) for _ in range(5)]
    assert box == pytest.approx(np.mean([own.crop for own in drawn], axis=0) / [40, 56, 40, 56])
    alone = apply(static[:1], drawn[3], 24)
    assert torch.equal(clip[:, 3], alone[0])


@pytest.mark.usefixtures("uint8_resize")
def test_crop_and_flip_are_torchvisions() -> None:
    frames, crop = noise(), (3, 7, 20, 31)
    expected = functional.horizontal_flip(functional.resized_crop(frames, *crop, [24, 24], antialias=True))
    result = apply(frames, Parameters(crop, flip=True, jitter=(), grey=False), 24)
    assert torch.equal(result, expected.float() / 255)


@pytest.mark.parametrize("name", ["cstp", "cvrl", "rand_augment", "standard"])
def test_a_whole_crop_is_the_square_of_the_short_side_in_all_that_crop(name: str) -> None:
    boxes = [built(name, crop="whole")(noise(2, 24, 36), stream("whole", i), "query")[1] for i in range(8)]
    assert {(top, height, width) for top, _, height, width in boxes} == {(0.0, 1.0, 24 / 36)}
    assert len({left for _, left, _, _ in boxes}) > 1


def test_jitter_and_grey_are_torchvisions_in_the_order_drawn() -> None:
    frames, whole = noise(height=24, width=24), (0, 0, 24, 24)
    order = (Jitter("contrast", 1.4), Jitter("hue", -0.13), Jitter("brightness", 1.3), Jitter("saturation", 0.4))
    pixels = frames.float() / 255
    for name, amount in order:
        pixels = getattr(functional, f"adjust_{name}")(pixels, amount)
    result = apply(frames, Parameters(whole, flip=False, jitter=order, grey=False), 24)
    torch.testing.assert_close(result, pixels, atol=2e-5, rtol=0)
    grey = apply(frames, Parameters(whole, flip=False, jitter=order, grey=True), 24)
    torch.testing.assert_close(grey, functional.rgb_to_grayscale(pixels, 3), atol=2e-5, rtol=0)
    other = apply(frames, Parameters(whole, flip=False, jitter=order[::-1], grey=False), 24)
    assert (other - result).abs().max() > 0.05


@pytest.mark.parametrize("size", [24, 111])
def test_frames_in_parts_have_the_bits_of_a_whole_clip(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a part's last values do not fill a vector register."""
    clip, options = noise(7, 120, 130), StandardOptions(jitter=1.0, grey=0.4)
    made = StandardAugmentation(options, clip_options(size=size, resize=120))
    monkeypatch.setattr("raysl.views.augmentation.VALUES_AT_ONCE", 2 * 3 * size * size)
    for key in range(6):
        drawn = made.draw(120, 130, stream(key))
        assert torch.equal(made(clip, stream(key)).clip, apply(clip, drawn, size).transpose(0, 1))


def plain_hue(frames: torch.Tensor, turns: float) -> torch.Tensor:
    """The formula, one operation after the other."""
    red, green, blue = frames.unbind(1)
    high, low = torch.maximum(green, blue), torch.minimum(green, blue)
    value, middle = torch.maximum(red, high), torch.minimum(red, high)
    chroma = value - torch.minimum(low, middle)
    blue_first, red_lost = (blue > green).float(), (high > red).float()
    sector = (blue_first * 2.0 - 1 / 3) * red_lost - blue_first
    hue = (sector + (middle - low) / (chroma * 6.0 + 1e-12)).abs() + turns
    angle = torch.stack([hue + 3 / 6, hue + 1 / 6, hue - 1 / 6], dim=1)
    weight = ((angle - angle.round()).abs() * -6.0 + 2.0).clamp(0.0, 1.0)
    return value[:, None] - weight * chroma[:, None]


def test_hue_in_kept_room_has_the_bits_of_the_plain_formula() -> None:
    for frames in (noise(3, 30, 31).float() / 255, noise(2).float() / 255):
        assert torch.equal(turned(frames, 0.17), plain_hue(frames, 0.17))


def test_the_fast_hue_is_a_matrix_near_the_exact_one() -> None:
    """And turns the same way: the other way round it would be two to three times as far off."""
    pale = 0.5 + 0.1 * (noise(3).float() / 255 - 0.5)
    full = noise(3).float() / 255
    for turns in (-0.2, -0.05, 0.0, 0.1, 0.2):
        for frames, close in ((pale, 0.02), (full, 0.15)):
            fast, exact = frames.clone(), turned(frames, turns)
            rotate_hue(fast, turns)
            assert 0 <= fast.min() <= fast.max() <= 1
            assert (fast - exact).abs().mean() < close
    grey, still = full.mean(1, keepdim=True).expand(-1, 3, -1, -1).clone(), full.clone()
    expected = grey.clone()
    rotate_hue(grey, 0.2)
    rotate_hue(still, 0.0)
    torch.testing.assert_close(grey, expected, atol=2e-6, rtol=0)
    torch.testing.assert_close(still, full, atol=2e-6, rtol=0)
    drawn = standard(jitter=1.0, hue_form="yiq").draw(40, 56, stream(1)).jitter
    assert drawn == tuple(
        Jitter(YIQ, amount) if name == "hue" else Jitter(name, amount)
        for name, amount in standard(jitter=1.0).draw(40, 56, stream(1)).jitter
    )


def test_kept_room_serves_inference_mode_and_what_comes_after() -> None:
    frames = noise(1, 26, 27).float() / 255
    with torch.inference_mode():
        inside = turned(frames, 0.1)
    assert torch.equal(turned(frames, 0.1), inside)


def test_each_frame_may_have_its_own_amount() -> None:
    frames = noise(3).float() / 255
    amounts = torch.tensor([0.3, -0.2, 0.05])
    for name, operation in OPERATIONS.items():
        own = amounts if "hue" in name else 1 + amounts
        together = frames.clone()
        operation(together, own.view(-1, 1, 1, 1))
        for one, amount, expected in zip(together, own.tolist(), frames.clone(), strict=True):
            operation(expected[None], amount)
            torch.testing.assert_close(one, expected, atol=1e-6, rtol=0)


def turned(frames: torch.Tensor, turns: float) -> torch.Tensor:
    result = frames.clone()
    adjust_hue(result, turns)
    return result


@pytest.mark.parametrize("turns", [-0.5, -0.31, 0.0, 0.07, 0.2, 0.5])
def test_hue_is_torchvisions_and_the_standard_librarys(turns: float) -> None:
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 0.25, 1.0])] * 3).T.reshape(1, 3, 3, 9)
    for frames in (corners, noise(2).float() / 255):
        torch.testing.assert_close(turned(frames, turns), functional.adjust_hue(frames, turns), atol=1e-5, rtol=0)
    hue, saturation, value = colorsys.rgb_to_hsv(0.2, 0.7, 0.4)
    expected = torch.tensor(colorsys.hsv_to_rgb((hue + turns) % 1, saturation, value))
    one = turned(torch.tensor([0.2, 0.7, 0.4]).view(1, 3, 1, 1), turns).flatten()
    torch.testing.assert_close(one, expected, atol=1e-5, rtol=0)


def test_bits_do_not_depend_on_the_number_of_threads() -> None:
    frames = noise(3, 240, 300)
    wide = StandardAugmentation(StandardOptions(jitter=1.0, hue=0.0, grey=0.0), clip_options(size=224, resize=240))
    clips = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            clips.append([wide(frames, stream(key)).clip for key in range(2)])
    finally:
        torch.set_num_threads(1)
    assert all(torch.equal(one, two) for one, two in zip(*clips, strict=True))


def test_probabilities_and_ranges_are_those_of_the_options() -> None:
    few = standard(flip=0.3, jitter=0.6, grey=0.1, contrast=0.4)
    drawn = [few.draw(64, 64, stream("probability", i)) for i in range(4000)]
    for share, expected in (
        (np.mean([own.flip for own in drawn]), 0.3),
        (np.mean([bool(own.jitter) for own in drawn]), 0.6),
        (np.mean([own.grey for own in drawn]), 0.1),
    ):
        assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / 4000)
    amounts = {
        name: [amount for own in drawn for kind, amount in own.jitter if kind == name]
        for name in ("brightness", "contrast", "saturation", "hue")
    }
    for name, (low, high) in {"brightness": (0.2, 1.8), "contrast": (0.6, 1.4), "hue": (-0.2, 0.2)}.items():
        assert low <= min(amounts[name]) < low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) < max(amounts[name]) <= high
    orders = {tuple(name for name, _ in own.jitter) for own in drawn if own.jitter}
    assert len(orders) == 24


def test_switching_an_operation_off_moves_no_other_draw() -> None:
    for key in range(30):
        every = standard(jitter=1.0).draw(64, 80, stream(key))
        without = standard(jitter=1.0, hue=0.0, flip=0.0).draw(64, 80, stream(key))
        assert without.crop == every.crop
        assert without.grey == every.grey
        assert without.jitter == tuple(one for one in every.jitter if one.name != "hue")


@pytest.mark.parametrize(
    "bad",
    [
        {"min_area": 0.9, "max_area": 0.5},
        {"min_aspect": 2.0, "max_aspect": 0.5},
        {"flip": 1.5},
        {"hue": 0.6},
        {"min_area": 0.0},
        {"blur": 0.5},
    ],
)
def test_impossible_options_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        StandardOptions(**bad)


def test_the_centre_crop_is_the_middle_square() -> None:
    frames = torch.zeros(2, 3, 32, 48, dtype=torch.uint8)
    frames[:, :, :, 8:40] = 255
    assert center_crop(frames, 24).shape == (3, 2, 24, 24)
    assert center_crop(frames, 24).min() == 1
    assert center_box(32, 48) == (0.0, 8 / 48, 1.0, 32 / 48)
    high = noise(2, 48, 32)
    assert torch.equal(center_crop(high, 32), (high[:, :, 8:40].float() / 255).transpose(0, 1))
