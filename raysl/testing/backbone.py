"""What every backbone keeps: feature maps before pooling, gradient everywhere, the same draw for the same seed."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode

from raysl.config.component import find
from raysl.errors import ConfigError
from raysl.models.backbone import Backbone, pool
from raysl.testing.component import TrainedContract

Size = tuple[int, int, int]


class BackboneContract(TrainedContract):
    """Of a backbone: ``COMPONENT = Component(kind="backbone", ...)``.

    It is built narrow where it has an option ``width``; of one without, the tests of its width are skipped.

    Attributes:
        clip: frames and pixels of the clips that it is given.
        smallest: by options, the smallest clip (frames, height, width) that it takes, where it refuses smaller ones.
        rounded: whether channels within a convolution are rounded down, so that they may be one short of the width.
        channels_last: whether it keeps ``torch.channels_last_3d``.
    """

    kind: ClassVar[str] = "backbone"
    place: ClassVar[str] = "backbone"
    clip: tuple[int, int] = (8, 32)
    smallest: tuple[tuple[Mapping[str, Any], Size], ...] = ()
    rounded: bool = False
    channels_last: bool = True

    @property
    def narrow(self) -> dict[str, Any]:
        """Its options, with a width that is cheap."""
        return {**({"width": narrow(self.component)} if self.has_width else {}), **self.options}

    @property
    def has_width(self) -> bool:
        return "width" in self.found.options.model_fields

    def host(self, options: Mapping[str, Any]) -> dict[str, Any]:
        width = {"width": narrow(self.component)} if self.has_width else {}
        return super().host({**width, **options})

    def build(self, seed: int = 0) -> Backbone:
        return build(self.component, seed, **self.narrow)

    def clips(self, batch: int = 2) -> Tensor:
        return clips(batch, *self.clip)

    @pytest.fixture
    def width(self) -> float:
        """The narrow one; a test that asks for it is skipped without such an option."""
        if not self.has_width:
            pytest.skip(f"{self.component} has no option `width`")
        return narrow(self.component)

    def test_returns_feature_maps_of_feature_dim(self) -> None:
        backbone = self.build()
        features = backbone(self.clips())
        assert features.ndim == 5
        assert features.shape[:2] == (2, backbone.feature_dim)
        assert pool(features).shape == (2, backbone.feature_dim)

    def test_its_timesteps_are_as_it_says(self) -> None:
        known = self.found.timesteps
        if known is not None:
            frames = self.clip[0]
            assert known(self.found.options(**self.narrow), frames) == self.build()(self.clips()).shape[2]

    def test_gradient_reaches_every_parameter(self) -> None:
        backbone = self.build()
        features = backbone(self.clips())
        (features * torch.randn_like(features)).sum().backward()
        assert [name for name, p in backbone.named_parameters() if p.grad is None or not p.grad.any()] == []

    def test_same_seed_gives_same_weights_and_features(self) -> None:
        first, again, other = (self.build(seed) for seed in (3, 3, 4))
        for key, value in first.state_dict().items():
            assert torch.equal(value, again.state_dict()[key]), key
        assert torch.equal(first(self.clips()), again(self.clips()))
        assert not torch.equal(first(self.clips()), other(self.clips()))

    def test_channels_last_3d(self) -> None:
        # With fewer than 16 clips on one thread ATen convolves t x 1 x 1 kernels by a routine that knows no formats.
        given = self.clips(batch=16)
        expected = self.build()(given)
        last = self.build().to(memory_format=torch.channels_last_3d)
        found = last(given.to(memory_format=torch.channels_last_3d))
        if self.channels_last:
            assert found.is_contiguous(memory_format=torch.channels_last_3d)
            assert not expected.is_contiguous(memory_format=torch.channels_last_3d)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-3 * expected.max().item())

    def test_features_are_nonnegative_maps_of_every_video_by_itself(self) -> None:
        backbone = self.build().double().eval()
        both = backbone(self.clips().double())
        torch.testing.assert_close(both[1:], backbone(self.clips()[1:].double()), rtol=1e-9, atol=1e-9)
        assert both.min() >= 0

    def test_width_scales_every_layer(self, width: float) -> None:
        backbones = [shapes(self.component, width=width * factor) for factor in (1, 2, 4)]
        assert [b.feature_dim for b in backbones] == [backbones[0].feature_dim * k for k in (1, 2, 4)]
        rounded = int(self.rounded)
        for thin, wide in itertools.pairwise(backbones):
            assert 3 < count(wide) / count(thin) <= 4 + 0.3 * rounded
            for (key, small), large in zip(thin.named_parameters(), wide.parameters(), strict=True):
                assert 0 <= large.shape[0] - 2 * small.shape[0] <= rounded, key

    @pytest.mark.usefixtures("width")
    def test_width_that_gives_no_whole_channel_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="width"):
            build(self.component, width=0.1)

    def test_a_clip_too_small_for_it_is_refused_with_the_size_it_needs(self) -> None:
        if not self.smallest:
            assert shapes(self.component)(torch.empty(1, 3, 1, 1, 1, device="meta")).numel() > 0
        for options, size in self.smallest:
            backbone = shapes(self.component, **options)
            assert backbone(torch.empty(1, 3, *size, device="meta")).numel() > 0
            for axis in range(3):
                less = [length - (axis == here) for here, length in enumerate(size)]
                with pytest.raises(ConfigError, match=f"at least {size[0]}x{size[1]}x{size[2]}"):
                    backbone(torch.empty(1, 3, *less, device="meta"))


def build(name: str, seed: int = 0, **options: Any) -> Backbone:
    """A backbone by its name, of a seed, with every branch open."""
    component = find("backbone", name)
    torch.manual_seed(seed)
    backbone = component.build(component.options(**options))
    assert isinstance(backbone, Backbone)
    for module in backbone.modules():
        # Residual branches that start at zero (PyTorchVideo's) are opened, or the tests would not see them.
        if isinstance(module, _BatchNorm) and not module.weight.is_meta and not module.weight.any():
            torch.nn.init.ones_(module.weight)
    return backbone


class _NothingDrawn(TorchFunctionMode):
    """Weights on the device "meta" are drawn in Python, layer by layer, for nothing."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return args[0] if func in (Tensor.normal_, Tensor.uniform_) else func(*args, **(kwargs or {}))


@cache
def shapes(name: str, **options: Any) -> Backbone:
    """The backbone without numbers: shapes and counts cost nothing. Not to be changed."""
    with torch.device("meta"), _NothingDrawn():
        return build(name, **options).eval()


def narrow(name: str) -> float:
    """A width that is cheap: 1/16, or the smallest that gives whole channels."""
    bounds = find("backbone", name).options.model_fields["width"].metadata
    return max(1 / 16, *(float(bound.multiple_of) for bound in bounds if hasattr(bound, "multiple_of")))


def clips(batch: int = 2, frames: int = 8, size: int = 32) -> Tensor:
    """``[batch, 3, frames, size, size]`` of Gaussian noise, the same at each call."""
    return torch.randn(batch, 3, frames, size, size, generator=torch.Generator().manual_seed(1))


def count(module: nn.Module) -> int:
    """Of parameters."""
    return sum(parameter.numel() for parameter in module.parameters())
