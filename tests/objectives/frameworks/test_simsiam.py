"""SimSiam: its two directions, its networks, and the predictor's learning rate."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from raysl.models.predictor import Predictor
from raysl.models.predictor_options import PredictorOptions
from raysl.models.projector import Projector
from raysl.objectives.build import build_objective
from raysl.objectives.frameworks.simsiam import SimSiamOptions
from raysl.objectives.frameworks.simsiam_term import SimSiam
from raysl.objectives.losses.negative_cosine import negative_cosine
from raysl.training.learner import Learner
from tests.cells import tiny_cell
from tests.objectives.batches import context, random_batch, small, small_options


def features() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.rand(4, 6, generator=generator) for name in ("query", "key")}


def test_the_loss_is_the_mean_of_both_directions_and_targets_get_no_gradient() -> None:
    torch.manual_seed(0)
    term = SimSiam(small_options("simsiam"), context())
    embeddings = term.projector(torch.cat(list(features().values())))
    query, key = embeddings.chunk(2)
    from_query, from_key = term.predictor(embeddings).chunk(2)
    expected = 0.5 * (negative_cosine(from_query, key.detach()) + negative_cosine(from_key, query.detach()))
    loss = term(features(), random_batch()).loss
    torch.testing.assert_close(loss, expected)
    parameters = list(term.parameters())
    for found, wanted in zip(
        torch.autograd.grad(loss, parameters), torch.autograd.grad(expected, parameters), strict=True
    ):
        torch.testing.assert_close(found, wanted)


def test_one_way_the_query_alone_predicts() -> None:
    torch.manual_seed(0)
    term = SimSiam(small_options("simsiam", symmetric="one_way"), context())
    query, key = term.projector(torch.cat(list(features().values()))).chunk(2)
    predicted = term.predictor(torch.cat([query, key])).chunk(2)[0]
    torch.testing.assert_close(term(features(), random_batch()).loss, negative_cosine(predicted, key))


def test_networks_of_the_paper() -> None:
    options = SimSiamOptions().projector
    assert options != "shared"
    projector = Projector(2048, options)
    linear = [layer for layer in projector.modules() if isinstance(layer, nn.Linear)]
    norms = [layer for layer in projector.modules() if isinstance(layer, nn.BatchNorm1d)]
    assert [layer.bias for layer in linear] == [None] * 3
    assert [norm.affine for norm in norms] == [True, True, False]
    assert sum(p.numel() for p in projector.parameters()) == 3 * 2048 * 2048 + 2 * 2 * 2048
    predictor = Predictor(2048, SimSiamOptions().predictor)
    assert sum(p.numel() for p in predictor.parameters()) == 2048 * 512 + 2 * 512 + 512 * 2048 + 2048


def test_the_predictor_maps_an_embedding_to_one_of_its_size() -> None:
    predictor = Predictor(8, PredictorOptions())
    assert predictor(torch.randn(4, 8)).shape == (4, 8)
    assert predictor.layers[0].out_features == 2
    assert predictor.layers[0].bias is not None


@pytest.mark.parametrize("constant", [False, True])
def test_the_predictors_rate_follows_the_schedule_unless_held(constant: bool) -> None:
    cell = tiny_cell(
        {"objective.contrastive": small("simsiam", constant_predictor_rate=constant), "backbone.width": 0.03125}
    )
    objective = build_objective(cell, range(16), 4)
    device = torch.device("cpu")
    learner = Learner(objective, cell, total_steps=4, steps_per_epoch=2, device=device, precision="float32")
    for step in range(4):
        learner.step([random_batch(8)], step)
    rates = {id(p): group["lr"] for group in learner.optimizer.param_groups for p in group["params"]}
    term = learner.objective.term("contrastive")
    assert isinstance(term, SimSiam)
    assert all(rates[id(parameter)] < 0.5e-3 for parameter in term.projector.parameters())
    for parameter in term.predictor.parameters():
        assert (rates[id(parameter)] == pytest.approx(1e-3)) == constant
