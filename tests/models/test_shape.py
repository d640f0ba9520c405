"""The shape of feature maps that nothing was computed for is that of those that were."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from raysl.errors import ConfigError
from raysl.models.shape import feature_shape
from raysl.testing.backbone import build, narrow, shapes
from tests.models.test_backbones import DEEP_POOLED, TRAINED


@pytest.mark.parametrize(("frames", "size"), [(8, 32), (11, 45)])
@pytest.mark.parametrize("name", TRAINED)
def test_is_that_of_a_forward_pass(name: str, frames: int, size: int) -> None:
    backbone = build(name, width=narrow(name))
    size = size + 32 if name in DEEP_POOLED else size
    found = feature_shape(backbone, frames, size)
    with torch.no_grad():
        assert found == tuple(backbone(torch.rand(2, 3, frames, size, size)).shape[1:])
    assert all(type(length) is int for length in found)


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("r3d_18", {}, (512, 2, 7, 7)),
        ("r3d_18", {"last_stage_time": "kept"}, (512, 4, 7, 7)),
        ("r3d_18", {"max_pool": True}, (512, 1, 4, 4)),
        ("c3d", {"last_stage_time": "kept"}, (512, 4, 7, 7)),
    ],
)
def test_needs_no_numbers(name: str, options: dict[str, Any], expected: tuple[int, ...]) -> None:
    assert feature_shape(shapes(name, **options), 16, 112) == expected


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", TRAINED)
def test_leaves_the_backbone_as_it_is(name: str, training: bool) -> None:
    backbone = build(name, width=narrow(name)).train(training)
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    feature_shape(backbone, 8, 64)
    assert {module.training for module in backbone.modules()} == {training}
    assert all(torch.equal(value, before[key]) for key, value in backbone.state_dict().items())


@pytest.mark.parametrize("name", ["c3d", "s3d", "s3d_g"])
def test_a_clip_too_small_is_refused(name: str) -> None:
    backbone = build(name, width=narrow(name))
    with pytest.raises(ConfigError, match="too small for the backbone"):
        feature_shape(backbone, 2, 32)
    assert backbone.training
