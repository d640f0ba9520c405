"""CSTP's augmentation: what is drawn and how often, and its operations against torchvision or a formula."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torchvision.transforms.v2 import InterpolationMode, functional

from raysl.streams import stream
from raysl.testing.augmentation import noise
from raysl.views.augmentations.cstp import CstpOptions
from raysl.views.augmentations.cstp_augmentation import CstpAugmentation, CstpParameters
from raysl.views.pixel_operations import Jitter
from tests.views.sets import clip_options
from tests.views.test_tclr import assert_share, assert_uniform

WHOLE = CstpParameters(crop=(0, 0, 24, 24), flip=False)
ALWAYS = {"strong": 1.0, "jitter": 1.0, "pick_channel": 1.0, "blur": 1.0}


def cstp(**options: Any) -> CstpAugmentation:
    return CstpAugmentation(CstpOptions(**options), clip_options())


def draws(many: int = 4000, **options: Any) -> list[CstpParameters]:
    made = cstp(**options)
    return [made.draw(240, 320, stream("cstp", i)) for i in range(many)]


def alone(frames: torch.Tensor, **changed: Any) -> torch.Tensor:
    """What one operation makes of frames that already have the size of the clip."""
    return cstp().apply(frames, WHOLE._replace(**changed))


def test_the_defaults_are_the_released_codes() -> None:
    drawn = draws()
    strong = [own for own in drawn if own.angle is not None]
    weak = [own for own in drawn if own.angle is None]
    assert_share([own.angle is not None for own in drawn], 0.3)
    assert_share([own.flip for own in drawn], 0.5)
    assert all(own == CstpParameters(own.crop, own.flip) for own in weak)
    assert_share([bool(own.jitter) for own in strong], 0.8)
    assert_share([own.channels is not None for own in strong], 0.2)
    assert_share([own.blur is not None for own in strong], 0.5)
    assert_uniform([own.angle for own in strong if own.angle is not None], -10, 10)
    assert_uniform([own.blur for own in strong if own.blur is not None], 0.1, 2.0)
    for name, (low, high) in {"brightness": (0.6, 1.4), "contrast": (0.6, 1.4), "saturation": (0.6, 1.4)}.items():
        assert_uniform([one.amount for own in strong for one in own.jitter if one.name == name], low, high)
    assert_uniform([one.amount for own in strong for one in own.jitter if one.name == "hue"], -0.1, 0.1)
    assert len({tuple(one.name for one in own.jitter) for own in strong if own.jitter}) == 24


def test_angles_may_all_be_the_same_way_round() -> None:
    for both, one in zip(draws(200, **ALWAYS), draws(200, **ALWAYS, rotation_from="zero"), strict=True):
        assert both.angle is not None
        assert one.angle == pytest.approx((both.angle + 10) / 2)
        assert one == both._replace(angle=one.angle)


def test_the_crop_is_upright_as_often_as_wide() -> None:
    made = cstp(max_area=0.3)
    crops = np.array([made.draw(2400, 2400, stream("crop", i)).crop for i in range(3000)], float)
    area, aspect = crops[:, 2] * crops[:, 3] / 2400**2, crops[:, 3] / crops[:, 2]
    assert_uniform(area.tolist(), 0.1995, 0.3005)
    # Half uniform from 3/4 to 4/3, half one by such a number.
    exact = stats.uniform(0.75, 4 / 3 - 0.75).cdf
    assert stats.kstest(aspect, lambda x: (exact(x) + 1 - exact(1 / x)) / 2).pvalue > 1e-3


def test_a_box_replaces_the_crop_and_moves_nothing_else() -> None:
    frames = noise()
    for key in range(20):
        drawn = cstp().draw(40, 56, stream(key))
        clip, box = cstp()(frames, stream(key), box=(5, 7, 20, 31))
        assert box == (5 / 40, 7 / 56, 20 / 40, 31 / 56)
        assert torch.equal(clip, cstp().apply(frames, drawn._replace(crop=(5, 7, 20, 31))).transpose(0, 1))


def test_rotation_jitter_and_blur_are_torchvisions() -> None:
    frames = noise(2, 24, 24)
    pixels = frames.float() / 255
    turned = functional.rotate(pixels, 7.5, InterpolationMode.BILINEAR)
    torch.testing.assert_close(alone(frames, angle=7.5), turned, atol=1e-6, rtol=0)
    assert (alone(frames, angle=7.5)[..., 0, 0] == 0).all()
    colored = functional.adjust_hue(functional.adjust_brightness(pixels, 1.3), 0.07)
    order = (Jitter("brightness", 1.3), Jitter("hue", 0.07))
    torch.testing.assert_close(alone(frames, jitter=order), colored, atol=2e-5, rtol=0)
    for sigma, radius in ((0.3, 1), (1.1, 4), (2.0, 6)):
        expected = functional.gaussian_blur(pixels, [2 * radius + 1] * 2, [sigma] * 2)
        torch.testing.assert_close(alone(frames, blur=sigma), expected, atol=1e-5, rtol=0)


def test_every_frame_shows_a_channel_of_its_own_draw() -> None:
    frames = noise(1, 24, 24).expand(60, -1, -1, -1)
    result = alone(frames, channels=5)
    assert all(torch.equal(result[:, 0], result[:, channel]) for channel in (1, 2))
    pixels = frames[0].float() / 255
    shown = [[torch.equal(frame[0], channel) for channel in pixels].index(True) for frame in result]
    assert stats.chisquare(np.bincount(shown, minlength=3)).pvalue > 1e-3
    assert torch.equal(result, alone(frames, channels=5))
    assert not torch.equal(result, alone(frames, channels=6))


def test_only_the_channel_differs_between_frames() -> None:
    static = noise(1).expand(6, -1, -1, -1)
    for key in range(10):
        clip, _ = cstp(**(ALWAYS | {"pick_channel": 0.0}))(static, stream(key))
        assert torch.equal(clip, clip[:, :1].expand_as(clip))
    clips = [cstp(**ALWAYS)(static, stream(key)).clip for key in range(10)]
    assert any(not torch.equal(clip, clip[:, :1].expand_as(clip)) for clip in clips)


SWITCHED_OFF: list[tuple[str, dict[str, Any]]] = [
    ("flip", {"flip": False}),
    ("rotation_jitter", {"angle": None}),
    ("jitter", {"jitter": ()}),
    ("pick_channel", {"channels": None}),
    ("blur", {"blur": None}),
]


@pytest.mark.parametrize(("off", "changed"), SWITCHED_OFF)
def test_switching_an_operation_off_moves_no_other_draw(off: str, changed: dict[str, Any]) -> None:
    for every, without in zip(draws(200, **ALWAYS), draws(200, **(ALWAYS | {off: 0.0})), strict=True):
        assert without == every._replace(**changed)


def test_without_the_chain_it_is_crop_and_flip_of_the_same_draw() -> None:
    for every, without in zip(draws(200, **ALWAYS), draws(200, strong=0.0), strict=True):
        assert without == CstpParameters(every.crop, every.flip)


@pytest.mark.parametrize("bad", [{"min_sigma": 3.0}, {"min_area": 0.5, "max_area": 0.4}, {"hue": 0.6}, {"strong": 2.0}])
def test_impossible_options_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        CstpOptions(**bad)
