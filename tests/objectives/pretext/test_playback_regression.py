"""Speed prediction by regression: its formula, its metrics, the size of its head, and what it refuses."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from raysl.config.sections import ClipOptions
from raysl.errors import ConfigError
from raysl.objectives.pretext.playback_regression import PlaybackRegressionOptions
from raysl.objectives.pretext.playback_regression_term import PlaybackRegression
from raysl.testing.backbone import build, narrow
from tests.cells import tiny_cell
from tests.models.test_backbones import DEEP_POOLED, TRAINED
from tests.objectives.batches import TinyBackbone, context, placed, random_batch

CLIP = ClipOptions(frames=4, size=16, resize=16)
BATCH = placed(random_batch())


def term() -> PlaybackRegression:
    torch.manual_seed(0)
    return PlaybackRegression(PlaybackRegressionOptions(hidden_dim=7), context(clip=CLIP)).double()


def maps(size: int = 4) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.rand(size, 6, 2, 8, 8, generator=generator).double() for name in ("query", "key")}


def forward(head: PlaybackRegression, given: dict[str, Tensor]) -> Any:
    return head({name: head.reduce(feature_map) for name, feature_map in given.items()}, BATCH)


def oracle(head: PlaybackRegression, given: dict[str, Tensor]) -> Tensor:
    """Linear layer, ReLU, linear layer of all values of the map, one clip at a time; mean of ``(s - s')^2 / 2``."""
    layers: Any = head.head
    first, _, last = layers
    total = torch.zeros((), dtype=torch.float64)
    for name, feature_map in given.items():
        for clip, rate in zip(feature_map, BATCH.views[name].distortion.tolist(), strict=True):
            hidden = torch.relu(first.weight @ clip.reshape(-1) + first.bias)
            guess = (last.weight @ hidden + last.bias)[0]
            total = total + 0.5 * (rate - guess) ** 2
    return total / 8


def test_value_and_gradient_equal_the_oracle() -> None:
    losses, gradients = [], []
    for function in (oracle, lambda head, given: forward(head, given).loss):
        head, given = term(), {name: feature_map.requires_grad_() for name, feature_map in maps().items()}
        loss = function(head, given)
        loss.backward()
        losses.append(loss.detach())
        gradients.append([x.grad for x in (*given.values(), *head.parameters())])
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-10, atol=1e-12)
    for found, expected in zip(gradients[1], gradients[0], strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_metrics_stand_beside_those_of_a_constant_guess() -> None:
    head: Any = term()
    rates = torch.cat([BATCH.views[name].distortion for name in ("query", "key")]).tolist()
    mean = sum(rates) / 8
    with torch.no_grad():
        for parameter in head.head[-1].parameters():
            parameter.zero_()
        head.head[-1].bias.fill_(1.1)
    output = forward(head, maps())
    error = math.sqrt(sum((rate - 1.1) ** 2 for rate in rates) / 8)
    assert output.metrics["playback_error"].item() == pytest.approx(error)
    assert output.metrics["playback_error_of_mean"].item() == pytest.approx(
        math.sqrt(sum((rate - mean) ** 2 for rate in rates) / 8)
    )
    assert not any(value.requires_grad for value in output.metrics.values())
    with torch.no_grad():
        head.head[-1].bias.fill_(mean)
    metrics = forward(head, maps()).metrics
    torch.testing.assert_close(metrics["playback_error"], metrics["playback_error_of_mean"], rtol=1e-5, atol=0)


def test_float32_under_bfloat16_autocast() -> None:
    head = term().float()
    given = {name: feature_map.float() for name, feature_map in maps().items()}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = forward(head, given).loss
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, forward(head, given).loss, rtol=0.05, atol=0.01)


@pytest.mark.parametrize("name", TRAINED)
def test_the_head_reads_the_whole_feature_map(name: str) -> None:
    size = 64 if name in DEEP_POOLED else 32
    backbone = build(name, width=narrow(name))
    given = context(backbone=backbone, clip=ClipOptions(frames=8, size=size, resize=size))
    head = PlaybackRegression(PlaybackRegressionOptions(hidden_dim=3), given)
    feature_map = backbone(torch.rand(4, 3, 8, size, size)).detach()
    assert head.head[0].in_features == feature_map[0].numel()
    assert forward(head, {"query": feature_map, "key": feature_map}).loss.isfinite()


def test_sstls_head_reads_8192_values() -> None:
    with torch.device("meta"):
        backbone = build("r3d_18", max_pool=True)
    given = context(backbone=backbone, clip=ClipOptions())
    assert PlaybackRegression(PlaybackRegressionOptions(), given).head[0].in_features == 8192


def test_learns_to_tell_rates_that_the_map_shows() -> None:
    head, given = term(), maps()
    for name, feature_map in given.items():
        feature_map += 4 * (BATCH.views[name].distortion.double() - 1)[:, None, None, None, None]
    optimizer = torch.optim.Adam(head.parameters(), lr=0.003)
    for _ in range(100):
        output = forward(head, given)
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
    assert output.metrics["playback_error"] < 0.3 * output.metrics["playback_error_of_mean"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"augment.temporal": {}}, r"none is drawn: set augment\.temporal\.max_rate above 1"),
        ({"augment.temporal": {"max_rate": 1.0, "buffer_frames": 4}}, r"set augment\.temporal\.max_rate above 1"),
        (
            {"sampling.pair": None, "sampling.windows": {"name": "global_local", "local_clips": 2, "skips": [2]}},
            r"reads the clips of the pair: set sampling\.pair",
        ),
    ],
    ids=["no augmentation in time", "a rate of 1", "no pair"],
)
def test_what_it_needs_is_asked_for_when_the_cell_is_loaded(change: dict[str, Any], message: str) -> None:
    whole: dict[str, Any] = {
        "objective.pretext": {"playback_regression": {}},
        "augment.temporal": {"buffer_frames": 4, "max_rate": 1.25},
    }
    assert list(tiny_cell(whole).objective.pretext) == ["playback_regression"]
    with pytest.raises(ConfigError, match=message):
        tiny_cell(whole | change)


def test_reads_the_clips_of_the_pair_as_maps() -> None:
    head = term()
    assert head.view_names == ("query", "key")
    assert not head.compares_across_batch
    feature_map = TinyBackbone()(torch.rand(2, 3, 4, 16, 16))
    assert torch.equal(head.reduce(feature_map), feature_map.reshape(2, -1))
    last = feature_map.to(memory_format=torch.channels_last_3d)
    assert torch.equal(head.reduce(last), feature_map.reshape(2, -1))
