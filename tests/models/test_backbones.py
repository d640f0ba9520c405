"""The contract of every backbone, found by name: a new one inherits these tests."""

from __future__ import annotations

import itertools

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision.models.video import r3d_18

from raysl.config.component import find, names
from raysl.models.backbone import Backbone, pool, stem_channels

PARAMETERS = {"r3d_18": 33_166_272, "slow_r50": 31_634_496}


def build(name: str, width: float, seed: int = 0) -> Backbone:
    component = find("backbone", name)
    torch.manual_seed(seed)
    backbone = component.build(component.options(width=width))
    assert isinstance(backbone, Backbone)
    for module in backbone.modules():
        # Residual branches that start at zero (PyTorchVideo's) are opened, or the tests would not see them.
        if isinstance(module, _BatchNorm) and not module.weight.any():
            torch.nn.init.ones_(module.weight)
    return backbone


def clips(batch: int = 2, frames: int = 8, size: int = 32) -> Tensor:
    return torch.randn(batch, 3, frames, size, size, generator=torch.Generator().manual_seed(1))


def count(backbone: Backbone) -> int:
    return sum(parameter.numel() for parameter in backbone.parameters())


@pytest.mark.parametrize("name", names("backbone"))
class TestContract:
    def test_returns_feature_maps_of_feature_dim(self, name: str) -> None:
        backbone = build(name, 1 / 16)
        features = backbone(clips())
        assert features.ndim == 5
        assert features.shape[:2] == (2, backbone.feature_dim)
        assert pool(features).shape == (2, backbone.feature_dim)

    def test_gradient_reaches_every_parameter(self, name: str) -> None:
        backbone = build(name, 1 / 16)
        features = backbone(clips())
        (features * torch.randn_like(features)).sum().backward()
        idle = [name for name, p in backbone.named_parameters() if p.grad is None or not p.grad.any()]
        assert idle == []

    def test_same_seed_gives_same_weights_and_features(self, name: str) -> None:
        first, again, other = (build(name, 1 / 16, seed) for seed in (3, 3, 4))
        for key, value in first.state_dict().items():
            assert torch.equal(value, again.state_dict()[key]), key
        assert torch.equal(first(clips()), again(clips()))
        assert not torch.equal(first(clips()), other(clips()))

    def test_channels_last_3d(self, name: str) -> None:
        given = clips(size=64)
        expected = build(name, 1 / 16)(given)
        last = build(name, 1 / 16).to(memory_format=torch.channels_last_3d)
        found = last(given.to(memory_format=torch.channels_last_3d))
        assert found.is_contiguous(memory_format=torch.channels_last_3d)
        assert not expected.is_contiguous(memory_format=torch.channels_last_3d)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-3 * expected.max().item())

    def test_features_are_nonnegative_maps_of_every_video_by_itself(self, name: str) -> None:
        backbone = build(name, 1 / 16).double().eval()
        both = backbone(clips().double())
        torch.testing.assert_close(both[1:], backbone(clips()[1:].double()), rtol=1e-9, atol=1e-9)
        assert both.min() >= 0

    def test_width_scales_every_layer(self, name: str) -> None:
        backbones = [build(name, width) for width in (1 / 16, 1 / 8, 1 / 4)]
        assert [b.feature_dim for b in backbones] == [backbones[0].feature_dim * k for k in (1, 2, 4)]
        for narrow, wide in itertools.pairwise(backbones):
            assert 3 < count(wide) / count(narrow) <= 4
            for (key, small), large in zip(narrow.named_parameters(), wide.parameters(), strict=True):
                assert small.shape[0] * 2 == large.shape[0], key

    def test_width_that_gives_no_whole_channel_is_refused(self, name: str) -> None:
        with pytest.raises(ValidationError, match="width"):
            find("backbone", name).options(width=0.1)

    def test_parameter_count_at_width_1(self, name: str) -> None:
        if name not in PARAMETERS:
            pytest.fail(f"state the parameter count of {name} at width 1 in PARAMETERS")
        assert count(build(name, 1.0)) == PARAMETERS[name]


def test_r3d_18_is_torchvisions() -> None:
    torch.manual_seed(0)
    reference = r3d_18().eval()
    weights = {key: value for key, value in reference.state_dict().items() if not key.startswith("fc.")}
    ours = build("r3d_18", 1.0, seed=9).eval()
    ours.load_state_dict(weights)
    reference.fc = torch.nn.Identity()
    torch.testing.assert_close(pool(ours(clips())), reference(clips()), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "expected"), [("r3d_18", (1, 2, 7, 7)), ("slow_r50", (1, 16, 4, 4))], ids=["r3d_18", "slow_r50"]
)
def test_feature_map_of_a_16x112x112_clip(name: str, expected: tuple[int, ...]) -> None:
    with torch.no_grad():
        features = build(name, 1 / 16).eval()(clips(1, 16, 112))
    assert (features.shape[0], *features.shape[2:]) == expected


def test_stem_channels_refuses_a_broken_channel() -> None:
    assert stem_channels(0.125) == 8
    with pytest.raises(ValueError, match="multiple of 1/64"):
        stem_channels(0.33)
