"""The composed objective: what it asks for, what it sums, and that two ranks equal one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from raysl.config.objective_sections import ProjectorOptions
from raysl.models.backbone import Backbone, pool
from raysl.models.backbones.r3d_18_network import R3D18
from raysl.models.batch_norm import convert_batch_norm
from raysl.objectives.frameworks.simclr import SimCLROptions
from raysl.objectives.frameworks.simclr_term import SimCLR
from raysl.objectives.objective import Objective
from raysl.objectives.term import Term, TermOutput
from raysl.testing.ranks import run_ranks
from raysl.views.batch import Batch
from tests.objectives.batches import context, random_batch, rows_of, view


class Recorder(Backbone):
    """Keeps the shape of every batch of clips it is given."""

    feature_dim = 3

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, ...]] = []
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, clips: Tensor) -> Tensor:
        self.seen.append(tuple(clips.shape))
        return clips * self.scale


class Square(Term):
    """Mean square of the pooled features of some views."""

    compares_across_batch = False

    def __init__(self, *view_names: str, metric: str = "square") -> None:
        super().__init__()
        self._view_names = view_names
        self.metric = metric

    @property
    def view_names(self) -> tuple[str, ...]:
        return self._view_names

    def forward(self, features: Mapping[str, Tensor], batch: Batch) -> TermOutput:
        loss = sum((features[name].square().mean() for name in self.view_names), torch.zeros(()))
        return TermOutput(loss, {self.metric: loss.detach()})


def mixed_batch() -> Batch:
    views = {name: view(torch.randn(2, 3, 4, 8, 8)) for name in ("query", "key", "unused")}
    return Batch(views={**views, "long": view(torch.randn(2, 3, 8, 8, 8))})


def test_views_are_computed_once_and_equal_shapes_together() -> None:
    backbone = Recorder()
    terms = {"a": (Square("query", "key"), 1.0), "b": (Square("key", "long", metric="other"), 1.0)}
    objective = Objective(backbone, terms)
    assert objective.view_names == ("query", "key", "long")
    batch = mixed_batch()
    objective(batch)
    assert backbone.seen == [(4, 3, 4, 8, 8), (2, 3, 8, 8, 8)]
    maps = objective.feature_maps(batch)
    assert list(maps) == ["query", "key", "long"]
    for name, features in maps.items():
        assert torch.equal(features, batch.views[name].clips)


def test_loss_is_the_weighted_sum() -> None:
    terms = {
        "a": (Square("query"), 0.25),
        "b": (Square("long", metric="other"), 2.0),
        "c": (Square("key", metric="c"), 0.0),
    }
    output = Objective(Recorder(), terms)(mixed_batch())
    assert list(output.terms) == ["a", "b", "c"]
    expected = 0.25 * output.terms["a"] + 2.0 * output.terms["b"]
    torch.testing.assert_close(output.loss.detach(), expected)
    assert output.loss.requires_grad
    assert not any(value.requires_grad for value in (*output.terms.values(), *output.metrics.values()))
    assert output.metrics["other"] == output.terms["b"]


def test_compares_across_batch_if_any_term_does() -> None:
    contrast = SimCLR(SimCLROptions(), context(feature_dim=3))
    assert not Objective(Recorder(), {"a": (Square("query"), 1.0)}).compares_across_batch
    assert Objective(Recorder(), {"a": (Square("query"), 1.0), "b": (contrast, 1.0)}).compares_across_batch


def test_two_terms_may_not_report_one_metric() -> None:
    objective = Objective(Recorder(), {"a": (Square("query"), 1.0), "b": (Square("key"), 1.0)})
    with pytest.raises(ValueError, match="'b' reports \\['square'\\]"):
        objective(mixed_batch())


def test_an_objective_needs_a_term() -> None:
    with pytest.raises(ValueError, match="at least one term"):
        Objective(Recorder(), {})


def simclr_objective() -> Objective:
    torch.manual_seed(0)
    backbone = R3D18(1 / 32)
    options = SimCLROptions(projector=ProjectorOptions(hidden_dim=8, output_dim=4))
    return Objective(backbone, {"contrastive": (SimCLR(options, context(backbone=backbone)), 0.7)}).double()


def step(objective: nn.Module, batch: Batch) -> dict[str, Any]:
    output = objective(batch)
    output.loss.backward()
    inner = objective.module if isinstance(objective, DistributedDataParallel) else objective
    assert isinstance(inner, Objective)
    term = inner.term("contrastive")
    assert isinstance(term, SimCLR)
    state = {key: value.clone() for key, value in inner.state_dict().items()}
    with torch.no_grad():
        embeddings = term.embed({name: pool(maps) for name, maps in inner.feature_maps(batch).items()})
    return {
        "loss": output.loss.detach(),
        "terms": output.terms,
        "metrics": output.metrics,
        "gradients": {name: parameter.grad for name, parameter in inner.named_parameters()},
        "state": state,
        "embeddings": embeddings,
    }


def on_rank(rank: int, size: int) -> dict[str, Any]:
    batch = random_batch(8, torch.float64)
    local = 8 // size
    objective = DistributedDataParallel(convert_batch_norm(simclr_objective()))
    return step(objective, rows_of(batch, slice(rank * local, (rank + 1) * local)))


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.slow
def test_two_ranks_equal_one() -> None:
    alone = step(simclr_objective(), random_batch(8, torch.float64))
    ranks = run_ranks(on_rank, 2, 2)
    close(torch.stack([r["loss"] for r in ranks]).mean(), alone["loss"])
    for name, embedding in alone["embeddings"].items():
        close(torch.cat([r["embeddings"][name] for r in ranks]), embedding)
    for result in ranks:
        for part in ("terms", "metrics", "gradients", "state"):
            assert result[part].keys() == alone[part].keys()
            for name, value in alone[part].items():
                close(result[part][name], value)


def test_training_the_objective_tells_videos_apart() -> None:
    objective = simclr_objective()
    batch = random_batch(8, torch.float64)
    optimizer = torch.optim.AdamW(objective.parameters(), lr=1e-2)
    outputs = []
    for _ in range(15):
        optimizer.zero_grad()
        output = objective(batch)
        output.loss.backward()
        optimizer.step()
        outputs.append(output)
    assert outputs[-1].loss < 0.5 * outputs[0].loss
    assert outputs[-1].metrics["contrastive_accuracy"] > outputs[0].metrics["contrastive_accuracy"]
