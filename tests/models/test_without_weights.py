"""Backbones that nothing is learned by: against loops by hand, and refused where something would be trained."""

from __future__ import annotations

import pytest
import torch

from raysl.config.component import find, names
from raysl.errors import ConfigError
from raysl.models.backbones.mean_colour_network import MeanColour
from raysl.models.backbones.motion_maps_network import MotionMaps
from tests.cells import tiny_cell
from tests.models.test_backbones import TRAINED

WITHOUT_WEIGHTS = ["mean_colour", "motion_maps"]


def test_are_all_that_have_no_weights() -> None:
    assert sorted(set(names("backbone")) - set(TRAINED)) == WITHOUT_WEIGHTS
    for name in WITHOUT_WEIGHTS:
        component = find("backbone", name)
        assert not component.build(component.options()).state_dict()


def test_mean_colour_is_each_channels_mean() -> None:
    clips = torch.rand(2, 3, 5, 7, 9)
    features = MeanColour()(clips)
    assert features.shape == (2, 3, 1, 1, 1)
    for video in range(2):
        for colour in range(3):
            assert features[video, colour].item() == pytest.approx(clips[video, colour].mean().item(), abs=1e-6)


def test_motion_maps_are_mean_differences_of_the_cells_of_a_frame() -> None:
    clips = torch.rand(2, 3, 4, 8, 8)
    features = MotionMaps(2)(clips).flatten(1)
    assert features.shape == (2, 4)
    for video in range(2):
        for cell, (top, left) in enumerate([(0, 0), (0, 4), (4, 0), (4, 4)]):
            part = clips[video, :, :, top : top + 4, left : left + 4]
            moved = [(part[:, t + 1] - part[:, t]).abs().mean().item() for t in range(3)]
            assert features[video, cell].item() == pytest.approx(sum(moved) / 3, abs=1e-6)


def test_a_clip_at_rest_has_no_motion() -> None:
    assert not MotionMaps()(torch.rand(1, 3, 1, 16, 16).expand(1, 3, 4, 16, 16)).any()


@pytest.mark.parametrize("name", WITHOUT_WEIGHTS)
def test_training_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} has no weights to train: write `pretraining: none`"):
        tiny_cell({"backbone": {"name": name}})
    assert tiny_cell({"backbone": {"name": name}, "pretraining": "none"}).backbone.name == name
