"""The momentum encoder: schedule, moving average of parameters alone, and no gradient."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from raysl.models.backbone import pool
from raysl.models.batch_norm import convert_batch_norm
from raysl.models.batch_norm_groups import Grouping
from raysl.objectives.memory.target_encoder import TargetEncoder, momentum_at
from tests.objectives.batches import TinyBackbone


def encoder(chunk: int | None = None) -> tuple[TinyBackbone, nn.Module, TargetEncoder]:
    torch.manual_seed(0)
    backbone, projector = TinyBackbone(), nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4))
    return backbone, projector, TargetEncoder(backbone, projector, chunk)


def clips(count: int = 8) -> torch.Tensor:
    return torch.randn(count, 3, 4, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("first", [0.9, 0.996])
def test_the_cosine_schedule_at_first_middle_and_last_step(first: float) -> None:
    steps = 1000
    assert momentum_at(0, steps, first, "cosine") == pytest.approx(first, abs=1e-12)
    assert momentum_at(steps // 2, steps, first, "cosine") == pytest.approx((1 + first) / 2, abs=1e-12)
    last = momentum_at(steps - 1, steps, first, "cosine")
    assert last == pytest.approx(1 - (1 - first) * (1 - math.cos(math.pi / steps)) / 2, abs=1e-12)
    assert first < last < 1
    rising = [momentum_at(step, steps, first, "cosine") for step in range(steps)]
    assert rising == sorted(rising)


def test_the_constant_schedule() -> None:
    assert {momentum_at(step, 10, 0.99, "constant") for step in range(10)} == {0.99}


def test_starts_as_the_online_network_and_is_another() -> None:
    backbone, projector, target = encoder()
    torch.testing.assert_close(target(clips()), projector(pool(backbone(clips()))))
    assert not any(p.requires_grad for p in target.parameters())
    assert all(p.requires_grad for p in backbone.parameters())
    assert not target(clips()).requires_grad


def test_update_averages_parameters_and_leaves_statistics_alone() -> None:
    backbone, projector, target = encoder()
    before = {name: value.clone() for name, value in target.state_dict().items()}
    with torch.no_grad():
        for parameter in (*backbone.parameters(), *projector.parameters()):
            parameter.add_(torch.randn_like(parameter))
    backbone(clips())  # moves the online running statistics
    online = {f"encoder.backbone.{name}": value for name, value in backbone.state_dict().items()}
    online |= {f"encoder.projector.{name}": value for name, value in projector.state_dict().items()}
    target.update(backbone, projector, 0.9)
    parameters = dict(target.named_parameters())
    assert parameters
    for name, value in target.state_dict().items():
        if name in parameters:
            torch.testing.assert_close(value, 0.9 * before[name] + 0.1 * online[name])
        else:
            assert torch.equal(value, before[name])


@pytest.mark.parametrize("momentum", [0.0, 1.0])
def test_the_ends_of_momentum(momentum: float) -> None:
    backbone, projector, target = encoder()
    before = [p.clone() for p in target.parameters()]
    with torch.no_grad():
        for parameter in (*backbone.parameters(), *projector.parameters()):
            parameter.mul_(2)
    target.update(backbone, projector, momentum)
    online = [*backbone.parameters(), *projector.parameters()]
    for found, expected in zip(target.parameters(), before if momentum else online, strict=True):
        torch.testing.assert_close(found, expected)


def test_chunks_give_what_the_whole_batch_gives_within_batch_norm_groups() -> None:
    whole, chunked = (convert_batch_norm(encoder(chunk)[2], Grouping(8, 2)) for chunk in (None, 4))
    torch.testing.assert_close(chunked(clips()), whole(clips()))
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(chunked.state_dict()[name], value)
