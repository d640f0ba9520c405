"""The contract of every framework, found by name, and each one's own behaviour."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from raysl.config.component import find, names
from raysl.config.objective_sections import ProjectorOptions
from raysl.objectives.frameworks.simclr import SimCLR, SimCLROptions
from raysl.objectives.losses.nt_xent import nt_xent
from raysl.objectives.term import Term
from tests.objectives.batches import context, random_batch, small_options


def features(term: Term) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: term.reduce(torch.rand(4, 6, 2, 1, 1, generator=generator)) for name in term.view_names}


@pytest.mark.parametrize("name", names("framework"))
class TestContract:
    def build(self, name: str) -> Term:
        torch.manual_seed(0)
        term = find("framework", name).build(small_options(name), context())
        assert isinstance(term, Term)
        return term

    def test_loss_is_a_scalar_and_metrics_carry_no_gradient(self, name: str) -> None:
        term = self.build(name)
        output = term(features(term), random_batch())
        assert output.loss.shape == ()
        assert output.loss.requires_grad
        assert "embedding_std" in output.metrics
        assert all(value.shape == () and not value.requires_grad for value in output.metrics.values())

    def test_gradient_reaches_features_and_parameters(self, name: str) -> None:
        term = self.build(name)
        given = {view: rows.requires_grad_() for view, rows in features(term).items()}
        term(given, random_batch()).loss.backward()
        gradients = [given[view].grad for view in term.view_names]
        assert all(gradient is not None and gradient.any() for gradient in gradients)
        assert all(p.grad is not None for p in term.parameters() if p.requires_grad)

    def test_has_a_nonnegative_weight(self, name: str) -> None:
        options: Any = find("framework", name).options
        assert options().weight == 1.0
        with pytest.raises(ValidationError, match="weight"):
            options(weight=-0.1)


def test_simclr_is_nt_xent_of_projected_features() -> None:
    options = SimCLROptions(temperature=0.2, symmetric="sum", same_view_negatives=False, positive_in_denominator=False)
    term = SimCLR(options, context())
    maps = features(term)
    query, key = term.projector(torch.cat([maps["query"], maps["key"]])).chunk(2)
    expected = nt_xent(query, key, 0.2, symmetric="sum", same_view_negatives=False, positive_in_denominator=False)
    output = term(maps, random_batch())
    torch.testing.assert_close(output.loss, expected.loss)
    assert output.metrics["contrastive_accuracy"] == expected.accuracy


def test_simclr_metrics_of_one_video_seen_twice() -> None:
    term = SimCLR(SimCLROptions(projector=ProjectorOptions(hidden_layers=0)), context())
    query = features(term)["query"]
    metrics = term({"query": query, "key": query}, random_batch()).metrics
    assert metrics["contrastive_accuracy"] == 1
    assert metrics["alignment"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("options", [{"temperature": 0.0}, {"symmetric": "both"}, {"tau": 0.1}], ids=str)
def test_simclr_refuses_bad_options(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(options))):
        SimCLROptions(**options)
