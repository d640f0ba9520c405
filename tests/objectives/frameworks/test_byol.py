"""BYOL: directions, targets, the momentum of each step, and the sizes of its networks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from raysl.models.predictor import Predictor
from raysl.objectives.frameworks.byol import BYOLOptions, BYOLProjectorOptions
from raysl.objectives.frameworks.byol_term import BYOL
from raysl.objectives.losses.negative_cosine import squared_distance
from raysl.objectives.memory.target_encoder import momentum_at
from tests.objectives.batches import TinyBackbone, context, random_batch, small_options


def byol(**options: Any) -> tuple[TinyBackbone, BYOL]:
    torch.manual_seed(0)
    given = context()
    assert isinstance(given.backbone, TinyBackbone)
    return given.backbone, BYOL(small_options("byol", **options), given)


def features() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.rand(4, 6, generator=generator) for name in ("query", "key")}


@pytest.mark.parametrize("symmetric", ["sum", "mean", "one_way"])
def test_the_loss_is_the_distance_of_predictions_to_the_other_views_targets(symmetric: str) -> None:
    _, term = byol(symmetric=symmetric)
    batch, given = random_batch(), features()
    assert term.view_names == (("query",) if symmetric == "one_way" else ("query", "key"))
    assert term.target_view_names == (("key",) if symmetric == "one_way" else ("key", "query"))
    rows = torch.cat([given[name] for name in term.view_names])
    predictions = term.predictor(term.projector(rows)).chunk(len(term.view_names))
    targets = [term.target(batch.views[name].clips) for name in term.target_view_names]
    distances = [squared_distance(p, z) for p, z in zip(predictions, targets, strict=True)]
    expected = sum(distances, torch.zeros(())) / (2 if symmetric == "mean" else 1)
    torch.testing.assert_close(term(given, batch).loss, expected)


def test_the_target_follows_with_the_steps_momentum() -> None:
    backbone, term = byol(momentum=0.9)
    weight = term.target.encoder.get_parameter("projector.layers.0.weight")
    expected = weight.clone()
    for step in (0, 5, 9):
        with torch.no_grad():
            term.projector.get_parameter("layers.0.weight").add_(1)
        momentum = momentum_at(step, 10, 0.9, "cosine")
        expected = momentum * expected + (1 - momentum) * term.projector.get_parameter("layers.0.weight").detach()
        term.begin_step(step, backbone)
        torch.testing.assert_close(weight, expected)


def test_sizes_of_the_papers() -> None:
    reference = BYOL(BYOLOptions(), context())
    linear = [layer for layer in reference.projector.modules() if isinstance(layer, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in linear] == [(6, 4096), (4096, 256)]
    assert sum(p.numel() for p in Predictor(512, BYOLOptions().predictor).parameters()) == 4_207_104  # CSTP's


def test_an_option_of_the_projector_leaves_the_others_at_byols() -> None:
    assert small_options("byol", projector={"output_dim": 512}).projector == BYOLProjectorOptions(output_dim=512)
    assert BYOLProjectorOptions(output_dim=512).hidden_dim == 4096


def test_without_a_projector_the_feature_is_the_embedding() -> None:
    _, term = byol(projector=None)
    output = term(features(), random_batch())
    output.loss.backward()
    assert term.predictor.layers[-1].out_features == 6
    assert set(dict(term.named_parameters())) == {
        *(f"predictor.{name}" for name, _ in term.predictor.named_parameters()),
        *(f"target.encoder.backbone.{name}" for name, _ in TinyBackbone().named_parameters()),
    }


@pytest.mark.parametrize("options", [{"momentum": -0.1}, {"momentum_schedule": "linear"}, {"weight": -1.0}], ids=str)
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(options))):
        BYOLOptions(**options)
