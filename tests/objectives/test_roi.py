"""Features of boxes against cells that are cut out by hand."""

from __future__ import annotations

import torch

from raysl.objectives.detection import roi_features

MAP = torch.arange(2 * 3 * 4 * 6, dtype=torch.float32).reshape(2, 3, 4, 6)


def test_a_box_on_whole_cells_is_the_largest_of_these() -> None:
    box = torch.tensor([[1 / 6, 1 / 4, 3 / 6, 3 / 4], [0.0, 0.0, 2 / 6, 2 / 4]])
    found = roi_features(MAP, torch.tensor([0, 1]), box, 2)
    torch.testing.assert_close(found[0], MAP[0, :, 1:3, 1:3].amax(dim=(1, 2)))
    torch.testing.assert_close(found[1], MAP[1, :, 0:2, 0:2].amax(dim=(1, 2)))


def test_between_cells_it_is_bilinear() -> None:
    """A cell's value lies at its centre: of a box a quarter of a cell on, three parts of one and one of the next."""
    box = torch.tensor([[1.25 / 6, 1 / 4, 2.25 / 6, 2 / 4]])
    found = roi_features(MAP, torch.tensor([0]), box, 1)
    torch.testing.assert_close(found[0], 0.75 * MAP[0, :, 1, 1] + 0.25 * MAP[0, :, 1, 2])


def test_no_box_has_no_feature_and_carries_gradient() -> None:
    maps = MAP.clone().requires_grad_()
    found = roi_features(maps, torch.zeros(0, dtype=torch.int64), torch.zeros(0, 4), 2)
    assert found.shape == (0, 3)
    found.sum().backward()
    assert maps.grad is not None
    assert maps.grad.abs().max() == 0
