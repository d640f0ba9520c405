"""Gaussian blur and solarising, against formulas written out in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchvision.transforms.v2 import functional

from raysl.testing.augmentation import noise
from raysl.views.blur import blur_radius, gaussian_blur
from raysl.views.color import solarise


def blurred(frames: torch.Tensor, sigma: float, radius: int) -> torch.Tensor:
    result = frames.clone()
    gaussian_blur(result, sigma, radius)
    return result


def gaussian(sigma: float, radius: int) -> NDArray[np.float64]:
    x = np.arange(-radius, radius + 1)
    weights = np.exp(-(x**2) / (2 * sigma**2))
    return weights / weights.sum()


@pytest.mark.parametrize("sigma", [0.1, 0.4, 1.0, 2.0])
@pytest.mark.parametrize(("size", "radius"), [(16, 1), (32, 1), (40, 2), (64, 3), (112, 5), (224, 11)])
def test_is_the_separable_convolution_with_a_gaussian(size: int, radius: int, sigma: float) -> None:
    assert blur_radius(size) == radius
    frames = noise(1, size, size + 9).float() / 255
    padded = np.pad(frames.double().numpy(), ((0, 0), (0, 0), (radius,) * 2, (radius,) * 2), mode="reflect")
    for axis in (2, 3):
        padded = np.apply_along_axis(np.convolve, axis, padded, gaussian(sigma, radius), mode="valid")
    np.testing.assert_allclose(blurred(frames, sigma, radius).numpy(), padded, atol=1e-6)


def test_frames_may_have_their_own_deviations() -> None:
    frames, sigmas = noise(3, 40, 44).float() / 255, torch.tensor([0.1, 0.7, 2.0])
    together = frames.clone()
    gaussian_blur(together, sigmas.view(-1, 1, 1, 1), 3)
    for one, frame, sigma in zip(together, frames, sigmas.tolist(), strict=True):
        torch.testing.assert_close(one[None], blurred(frame[None], sigma, 3), atol=1e-6, rtol=0)


def test_is_torchvisions() -> None:
    frames = noise(3, 60, 50).float() / 255
    expected = functional.gaussian_blur(frames, [23, 23], [1.7, 1.7])
    torch.testing.assert_close(blurred(frames, 1.7, 11), expected, atol=2e-6, rtol=0)


def test_every_frame_is_blurred_by_itself_and_stays_in_range() -> None:
    frames = noise(9, 100, 100).float() / 255
    whole = blurred(frames, 1.3, 5)
    assert all(torch.equal(whole[i : i + 1], blurred(frames[i : i + 1], 1.3, 5)) for i in range(9))
    bright = blurred(torch.ones(1, 3, 40, 40), 1.9, 11)
    assert bright.max() <= 1
    assert bright.min() > 1 - 1e-6


def test_solarising_inverts_from_the_threshold_on() -> None:
    frames = noise(2).float() / 255
    frames[0, 0, 0, 0] = 0.5
    result = frames.clone()
    solarise(result, 0.5)
    values = frames.numpy()
    np.testing.assert_array_equal(result.numpy(), values * (values < 0.5) + (1 - values) * (values >= 0.5))
    solarise(frames, 0.0)
    assert frames[0, 0, 0, 0] == 0.5
