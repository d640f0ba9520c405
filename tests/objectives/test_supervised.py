"""Cross-entropy on labels against a plain loop, dropout by video, and the build of a supervised cell."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from raysl.config.objective_sections import SupervisedOptions
from raysl.errors import ConfigError
from raysl.models.classifier import Classifier
from raysl.objectives.build import build_backbone, build_objective
from raysl.objectives.supervised import Supervised, dropout_factors
from raysl.views.batch import Batch
from tests.cells import tiny_cell
from tests.objectives.batches import context, random_batch

LABELS = [2, 0, 1, 2]


def term(**options: Any) -> Supervised:
    torch.manual_seed(0)
    return Supervised(SupervisedOptions(**options), context(classes=3))


def batch(labels: list[int] = LABELS) -> Batch:
    return replace(random_batch(len(labels)), targets={"label": torch.tensor(labels)})


def features() -> Tensor:
    return torch.randn(4, 6, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("norm", ["none", "l2"])
def test_the_loss_is_the_mean_cross_entropy(smoothing: float, norm: str) -> None:
    made, given = term(label_smoothing=smoothing, feature_norm=norm), features()
    output = made({"query": given}, batch())
    losses, hits = [], []
    for row, label in zip(given.tolist(), LABELS, strict=True):
        length = math.sqrt(sum(x * x for x in row)) if norm == "l2" else 1.0
        weight, bias = made.classifier.linear.weight.tolist(), made.classifier.linear.bias.tolist()
        logits = [
            sum(w * x / length for w, x in zip(ws, row, strict=True)) + b for ws, b in zip(weight, bias, strict=True)
        ]
        normaliser = math.log(sum(math.exp(logit) for logit in logits))
        wanted = [smoothing / 3 + (1 - smoothing) * (index == label) for index in range(3)]
        losses.append(sum(w * (normaliser - logit) for w, logit in zip(wanted, logits, strict=True)))
        hits.append(logits.index(max(logits)) == label)
    assert output.loss.item() == pytest.approx(sum(losses) / 4, rel=1e-5)
    assert output.metrics["accuracy"].item() == pytest.approx(sum(hits) / 4)


def test_every_class_is_nearly_equally_likely_at_first() -> None:
    torch.manual_seed(0)
    logits = Classifier(512, 100)(torch.rand(8, 512))
    assert torch.nn.functional.cross_entropy(logits, torch.arange(8)).item() == pytest.approx(math.log(100), abs=0.5)


def test_l2_batch_norm_standardises_unit_features() -> None:
    classifier = Classifier(6, 3, "l2_batch_norm")
    seen: list[Tensor] = []
    classifier.linear.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    classifier(features() * torch.tensor([[1.0], [10.0], [0.1], [3.0]]))
    unit = features() / features().norm(dim=1, keepdim=True)
    expected = (unit - unit.mean(dim=0)) / torch.sqrt(unit.var(dim=0, unbiased=False) + 1e-5)
    torch.testing.assert_close(seen[0], expected, rtol=1e-4, atol=1e-5)


def test_dropout_is_drawn_by_video_and_step() -> None:
    whole = dropout_factors(0, 3, [5, 6, 7, 8], 1000, 0.25)
    assert whole.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (whole == 0).float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert torch.equal(torch.cat([dropout_factors(0, 3, rows, 1000, 0.25) for rows in ([5, 6], [7, 8])]), whole)
    assert not torch.equal(dropout_factors(0, 4, [5, 6, 7, 8], 1000, 0.25), whole)
    assert not torch.equal(dropout_factors(1, 3, [5, 6, 7, 8], 1000, 0.25), whole)


def test_dropout_is_off_in_eval_mode_and_follows_the_step() -> None:
    made, plain, given = term(dropout=0.5), term(), features()

    def loss(of: Supervised) -> float:
        return of({"query": given}, batch()).loss.item()

    made.begin_step(1, context().backbone)
    first = loss(made)
    assert loss(made) == first
    made.begin_step(2, context().backbone)
    assert loss(made) != first
    assert loss(made.eval()) == loss(plain)


def test_a_supervised_cell_has_this_term_alone_and_the_backbone_of_its_seed() -> None:
    cell = tiny_cell({"pretraining": "supervised"})
    objective = build_objective(cell, range(16), 4, classes=4)
    assert list(objective.terms) == ["supervised"]
    assert objective.view_names == ("query",)
    assert not objective.compares_across_batch
    expected = build_backbone(cell).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in objective.backbone.state_dict().items())


@pytest.mark.parametrize("classes", [0, 1])
def test_fewer_than_two_classes_are_refused(classes: int) -> None:
    with pytest.raises(ConfigError, match=f"two or more classes, and this one has {classes}"):
        build_objective(tiny_cell({"pretraining": "supervised"}), range(16), 4, classes=classes)
