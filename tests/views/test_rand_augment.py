"""RandAugment: every operator against torchvision's own, with strengths written out by hand."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from raysl.streams import stream
from raysl.testing.augmentation import noise
from raysl.views.augmentations.rand_augment import RandAugmentOptions
from raysl.views.augmentations.rand_augment_augmentation import OPERATORS, Operator, RandAugmentation
from raysl.views.pixel_operations import crop_and_flip
from tests.views.sets import clip_options


def rand_augment(size: int = 24, **options: Any) -> RandAugmentation:
    return RandAugmentation(RandAugmentOptions(**options), clip_options(size=size))


def expected(name: str, frames: torch.Tensor, magnitude: int, sign: int) -> torch.Tensor:
    """Strengths of AutoAugment as torchvision lists them, over magnitudes 0 to 30."""
    share = magnitude / 30
    fill = [128.0] * 3
    factor = 1 + sign * 0.9 * share
    degrees = sign * math.degrees(math.atan(0.3 * share))
    pixels = int(sign * 150 / 331 * 24 * share)
    affine: dict[str, Any] = {"angle": 0, "translate": [0, 0], "scale": 1, "shear": [0, 0], "fill": fill}
    results: dict[str, Any] = {
        "auto_contrast": lambda: functional.autocontrast(frames),
        "equalize": lambda: functional.equalize(frames),
        "invert": lambda: 255 - frames,
        "rotate": lambda: functional.rotate(frames, sign * 30 * share, fill=fill),
        "posterize": lambda: functional.posterize(frames, {0: 8, 10: 7, 20: 5, 30: 4}[magnitude]),
        "solarize": lambda: functional.solarize(frames, 255 * (1 - share)),
        "color": lambda: functional.adjust_saturation(frames, factor),
        "contrast": lambda: functional.adjust_contrast(frames, factor),
        "brightness": lambda: functional.adjust_brightness(frames, factor),
        "sharpness": lambda: functional.adjust_sharpness(frames, factor),
        "shear_x": lambda: functional.affine(frames, **affine | {"shear": [degrees, 0]}, center=[0, 0]),
        "shear_y": lambda: functional.affine(frames, **affine | {"shear": [0, degrees]}, center=[0, 0]),
        "translate_x": lambda: functional.affine(frames, **affine | {"translate": [pixels, 0]}),
        "translate_y": lambda: functional.affine(frames, **affine | {"translate": [0, pixels]}),
    }
    result: torch.Tensor = results[name]()
    return result


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("magnitude", [10, 20, 30])
def test_an_operator_has_the_strength_of_its_magnitude(name: str, magnitude: int) -> None:
    frames = noise(2, 24, 24) // 2 + 40
    for sign in (1, -1):
        result = OPERATORS[name](frames, sign * magnitude / 30)
        assert result.dtype == torch.uint8
        assert torch.equal(result, expected(name, frames, magnitude, sign))
        if (name, magnitude) != ("solarize", 10):
            assert not torch.equal(result, frames)


@pytest.mark.parametrize("name", sorted(set(OPERATORS) - {"auto_contrast", "equalize", "invert"}))
def test_at_magnitude_0_it_changes_nothing(name: str) -> None:
    frames = noise(2, 24, 24) // 2
    assert torch.equal(OPERATORS[name](frames, 0.0), frames)


def test_translation_moves_the_picture_and_leaves_grey() -> None:
    frames = noise(1, 24, 24)
    moved = OPERATORS["translate_x"](frames, 1.0)
    assert (moved[..., :10] == 128).all()
    assert torch.equal(moved[..., 10:], frames[..., :-10])


def test_the_names_are_torchvisions_but_for_identity_and_invert() -> None:
    theirs = {name.lower() for name in v2.RandAugment._AUGMENTATION_SPACE}
    assert {name.replace("_", "") for name in OPERATORS} == theirs - {"identity"} | {"invert"}
    assert len(OPERATORS) == 14


def test_two_of_fourteen_are_drawn_uniformly_with_either_sign() -> None:
    made = rand_augment()
    drawn = [made.draw(64, 64, stream("operators", i)) for i in range(3000)]
    assert all(len(own.operators) == 2 for own in drawn)
    counts = Counter(name for own in drawn for name, _ in own.operators)
    assert set(counts) == set(OPERATORS)
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3
    levels = Counter(level for own in drawn for _, level in own.operators)
    assert set(levels) == {10 / 30, -10 / 30}
    assert stats.chisquare(list(levels.values())).pvalue > 1e-3
    assert abs(np.mean([own.flip for own in drawn]) - 0.5) < 0.04


def test_the_clip_is_crop_flip_and_the_operators_in_turn() -> None:
    made = rand_augment(operations=3)
    for key in range(20):
        drawn = made.draw(40, 56, stream(key))
        pixels = crop_and_flip(noise(), drawn.crop, drawn.flip, 24)
        for name, level in drawn.operators:
            pixels = expected(name, pixels, 10, round(math.copysign(1, level)))
        assert torch.equal(made(noise(), stream(key)).clip, pixels.transpose(0, 1).float() / 255)


def test_no_option_moves_another_draw() -> None:
    for key in range(30):
        every = rand_augment(operations=4, magnitude=15).draw(64, 80, stream(key))
        fewer = rand_augment(operations=1, magnitude=30, flip=0.0).draw(64, 80, stream(key))
        assert (fewer.crop, fewer.flip) == (every.crop, False)
        assert fewer.operators == tuple(Operator(name, 2 * level) for name, level in every.operators[:1])


def test_consistent_over_frames_or_not() -> None:
    static = noise(1).expand(5, -1, -1, -1)
    clip, _ = rand_augment(operations=14)(static, stream(3))
    assert torch.equal(clip, clip[:, :1].expand_as(clip))
    clip, _ = rand_augment(temporally_consistent=False)(static, stream(3))
    assert all(not torch.equal(clip[:, i], clip[:, j]) for i in range(5) for j in range(i))


@pytest.mark.parametrize("bad", [{"operations": 0}, {"magnitude": 31}, {"magnitude": -1}, {"min_aspect": 3.0}])
def test_impossible_options_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        RandAugmentOptions(**bad)
