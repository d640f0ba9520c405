"""The tasks of CSTP about the pair: their questions, losses, metrics and gradients, and what they refuse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from raysl.config.component import find
from raysl.config.resolve import resolve
from raysl.config.yaml_reader import Tree
from raysl.errors import ConfigError
from raysl.objectives.build import build_objective
from raysl.views.batch import Batch
from tests.cells import TINY_BACKBONE, tiny_cell
from tests.objectives.batches import context, random_batch

CLASSES = {"spatial_overlap": 5, "temporal_overlap": 5, "playback_rate": 4}
OVERLAPS = ["spatial_overlap", "temporal_overlap"]
MLP = {"hidden_layers": 1, "activation": "batch_norm_relu"}
HEADS: list[dict[str, Any]] = [{}, MLP]
OVERLAP: dict[str, Any] = {"sampling.pair": {"name": "overlap"}}


def task(name: str, **options: Any) -> Any:
    torch.manual_seed(0)
    component = find("pretext task", name)
    made = component.build(resolve(component.options, Tree(options)), context(pair_classes=CLASSES))
    return made.double()


def answered(size: int = 8) -> Batch:
    answers = {name: torch.arange(size) % classes for name, classes in CLASSES.items()}
    return replace(random_batch(size), targets=answers)


def features(size: int = 8) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {name: torch.randn(size, 6, generator=generator).double().requires_grad_() for name in ("query", "key")}


@pytest.mark.parametrize("name", OVERLAPS)
def test_an_overlap_task_reads_both_clips_side_by_side(name: str) -> None:
    made, given, batch = task(name), features(), answered()
    assert made.view_names == ("query", "key")
    (linear,) = made.head.layers
    assert (linear.in_features, linear.out_features) == (12, 5)
    loss = torch.zeros((), dtype=torch.float64)
    for row, answer in enumerate(batch.targets[name].tolist()):
        logits = linear.weight @ torch.cat([given["query"][row], given["key"][row]]) + linear.bias
        loss = loss - (logits[answer] - logits.exp().sum().log()) / 8
    torch.testing.assert_close(made(given, batch).loss, loss, rtol=1e-12, atol=1e-12)


def test_playback_rate_adds_the_losses_of_both_clips_or_asks_about_the_query() -> None:
    given, batch = features(), answered()
    both, query = task("playback_rate"), task("playback_rate", clips="query")
    assert (both.view_names, query.view_names) == (("query", "key"), ("query",))
    (linear,) = both.head.layers
    assert (linear.in_features, linear.out_features) == (6, 4)
    losses = {
        view: F.cross_entropy(F.linear(feature, linear.weight, linear.bias), batch.targets["playback_rate"])
        for view, feature in given.items()
    }
    torch.testing.assert_close(both(given, batch).loss, losses["query"] + losses["key"])
    torch.testing.assert_close(query(given, batch).loss, losses["query"])


@pytest.mark.parametrize("name", CLASSES)
def test_the_code_heads_have_a_hidden_layer_as_wide_as_their_input(name: str) -> None:
    width = 12 if name in OVERLAPS else 6
    hidden, norm, _, last = task(name, head=MLP).head.layers
    assert (hidden.in_features, hidden.out_features, norm.num_features) == (width, width, width)
    assert (last.in_features, last.out_features) == (width, CLASSES[name])


@pytest.mark.parametrize("head", HEADS, ids=["linear", "mlp"])
@pytest.mark.parametrize("name", CLASSES)
def test_gradient_reaches_both_clips(name: str, head: dict[str, Any]) -> None:
    given = features()
    task(name, head=head)(given, answered()).loss.backward()
    for feature in given.values():
        assert feature.grad is not None
        assert (feature.grad.abs().sum(1) > 0).all()


@pytest.mark.parametrize("name", CLASSES)
def test_accuracy_stands_beside_that_of_the_commonest_answer(name: str) -> None:
    made, batch = task(name), answered()
    batch.targets[name] = torch.tensor([3, 3, 3, 1, 3, 0, 3, 2])
    with torch.no_grad():
        made.head.layers[-1].weight.zero_()
        made.head.layers[-1].bias.copy_(F.one_hot(torch.tensor(3), CLASSES[name]))
    metrics = made(features(), batch).metrics
    assert metrics[f"{name}_accuracy"].item() == metrics[f"{name}_majority"].item() == 5 / 8
    with torch.no_grad():
        made.head.layers[-1].bias.copy_(F.one_hot(torch.tensor(1), CLASSES[name]))
    assert made(features(), batch).metrics[f"{name}_accuracy"].item() == 1 / 8


@pytest.mark.parametrize("name", CLASSES)
def test_it_overfits_a_fixed_batch_through_the_backbone(name: str) -> None:
    own: dict[str, Any] = {"backbone": TINY_BACKBONE, "objective.contrastive": None, "objective.pretext": {name: {}}}
    cell = tiny_cell({**OVERLAP, "sampling.playback_rates": [1, 2, 4, 8], **own})
    objective = build_objective(cell, range(16), 30)
    batch = replace(random_batch(10), targets={key: torch.arange(10) % count for key, count in CLASSES.items()})
    if name == "playback_rate":
        # Both clips have one rate: it must show in both.
        batch.views["key"].clips.copy_(batch.views["query"].clips)
    optimizer = torch.optim.Adam(objective.parameters(), lr=3e-3)
    losses = []
    for _ in range(30):
        output = objective(batch)
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
        losses.append(output.loss.item())
    assert losses[-1] < 0.3 * losses[0]
    assert output.metrics[f"{name}_accuracy"] == 1
    assert output.metrics[f"{name}_majority"] == pytest.approx(0.3 if name == "playback_rate" else 0.2)
    assert all(parameter.grad is not None for parameter in objective.backbone.parameters())


def test_the_number_of_classes_is_the_samplers() -> None:
    pretext: dict[str, Any] = {"objective.pretext": {name: {} for name in CLASSES}}
    for candidates, rates in (([0.5, 1.0], [1, 2]), ([0.25, 0.5, 0.75, 1.0], [1, 2, 4])):
        change = {"sampling": {"pair": {"name": "overlap", "candidates": candidates}, "playback_rates": rates}}
        objective = build_objective(tiny_cell(pretext | change), range(16), 4)
        heads: dict[str, Any] = {name: objective.term(name).head for name in CLASSES}
        found = {name: head.layers[-1].out_features for name, head in heads.items()}
        assert found == {**dict.fromkeys(OVERLAPS, len(candidates)), "playback_rate": len(rates)}


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    *(
        (name, {"sampling.pair": {"name": "random"}}, rf"{name} asks .* sampling\.pair is random: choose overlap")
        for name in OVERLAPS
    ),
    (
        "spatial_overlap",
        {"sampling.pair": None, "sampling.windows": {"name": "global_local", "local_clips": 2, "skips": [2]}},
        r"sampling\.pair is null",
    ),
    (
        "temporal_overlap",
        {**OVERLAP, "augment.temporal": {"buffer_frames": 4}},
        r"set augment\.temporal\.buffer_frames to 0",
    ),
    ("playback_rate", {}, r"sampling\.playback_rates has one, 1: give two or more"),
    (
        "playback_rate",
        {"sampling": {"pair": {"name": "skips"}, "playback_rates": [1, 2]}},
        r"sampling\.pair skips sets the strides itself",
    ),
    (
        "playback_rate",
        {"sampling.pair": None, "sampling.windows": {"name": "global_local", "local_clips": 2, "skips": [2]}},
        r"set sampling\.pair",
    ),
]


@pytest.mark.parametrize(("name", "change", "message"), REFUSED, ids=[f"{one[0]}-{i}" for i, one in enumerate(REFUSED)])
def test_what_it_needs_is_asked_for_when_the_cell_is_loaded(name: str, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tiny_cell({"objective.pretext": {name: {}}, **change})
    assert tiny_cell({"objective.pretext": {name: {"supervise": False}}, **change})
    assert tiny_cell({"objective.pretext": {name: {}}, **change, "pretraining": "none"})


def test_the_spatial_task_stands_augmentation_in_time() -> None:
    change = {**OVERLAP, "augment.temporal": {"buffer_frames": 4}, "objective.pretext": {"spatial_overlap": {}}}
    assert list(tiny_cell(change).objective.pretext) == ["spatial_overlap"]
