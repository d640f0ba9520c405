"""From a cell to its objective: which parts, and which seeded weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from raysl.errors import ConfigError
from raysl.models.backbones.r3d_18_network import R3D18
from raysl.objectives.build import build_backbone, build_objective
from raysl.objectives.frameworks.simclr_term import SimCLR
from tests.cells import tiny_cell


def equal(first: nn.Module, second: nn.Module) -> bool:
    ours, theirs = first.state_dict(), second.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)


def seeded(seed: int, **change: Any) -> Any:
    return tiny_cell({"training.seed": seed, **change})


def test_builds_what_the_cell_names() -> None:
    objective = build_objective(tiny_cell({"objective.contrastive.weight": 0.5}), range(16), 4)
    assert isinstance(objective.backbone, R3D18)
    assert objective.backbone.feature_dim == 32
    assert isinstance(objective.term("contrastive"), SimCLR)
    assert objective.weights == {"contrastive": 0.5}
    assert objective.view_names == ("query", "key")


def test_a_random_row_starts_from_the_pretrained_rows_weights() -> None:
    random = build_backbone(seeded(3, pretraining="none"))
    pretrained = build_objective(seeded(3, **{"objective.contrastive.projector.hidden_layers": 2}), range(16), 4)
    assert equal(random, pretrained.backbone)
    assert not equal(random, build_backbone(seeded(4)))


def test_weights_depend_on_the_seed_and_not_on_the_global_random_state() -> None:
    torch.manual_seed(0)
    first = build_objective(seeded(1), range(16), 4)
    torch.manual_seed(99)
    state = torch.get_rng_state()
    assert equal(first, build_objective(seeded(1), range(16), 4))
    assert torch.equal(torch.get_rng_state(), state)
    other = build_objective(seeded(2), range(16), 4)
    assert not equal(first.term("contrastive"), other.term("contrastive"))


def test_another_backbone_does_not_move_the_projector() -> None:
    options = {"objective.contrastive.projector.hidden_layers": 0}
    narrow = build_objective(seeded(0, **options), range(16), 4)
    slow = build_objective(seeded(0, **options, **{"backbone": {"name": "slow_r50", "width": 0.015625}}), range(16), 4)
    assert narrow.backbone.feature_dim == slow.backbone.feature_dim == 32
    assert equal(narrow.term("contrastive"), slow.term("contrastive"))


def test_an_objective_without_terms_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"objective\.contrastive"):
        build_objective(tiny_cell({"pretraining": "none", "objective.contrastive": None}), range(16), 4)


@pytest.mark.parametrize("name", ["cosine", "constant"])
def test_a_warmup_as_long_as_training_is_refused_when_it_is_loaded(name: str) -> None:
    length = {"training.steps": None, "training.epochs": 2}
    with pytest.raises(ConfigError, match=r"warmup_epochs 2 is not shorter than training\.epochs 2"):
        tiny_cell({**length, "schedule": {"name": name, "warmup_epochs": 2}})
    shorter = tiny_cell({**length, "schedule": {"name": name, "warmup_epochs": 1.5}})
    assert shorter.schedule.options.warmup_epochs == 1.5
