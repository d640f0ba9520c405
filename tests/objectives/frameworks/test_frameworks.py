"""The contract of every framework, found by name, and each one's own behaviour."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from raysl.config.component import names
from raysl.config.objective_sections import ProjectorOptions
from raysl.objectives.frameworks.simclr import SimCLROptions
from raysl.objectives.frameworks.simclr_term import SimCLR
from raysl.objectives.losses.nt_xent import nt_xent
from raysl.testing import FrameworkContract
from raysl.testing.component import WINDOWED
from raysl.testing.framework import features
from raysl.testing.term import Told, on_two_ranks
from tests.objectives.batches import SMALL, context, random_batch

FRAMEWORKS = names("framework")


class TestFrameworks(FrameworkContract):
    @pytest.fixture(autouse=True, params=FRAMEWORKS)
    def one(self, request: pytest.FixtureRequest) -> None:
        use(self, request.param)

    @pytest.fixture
    def two_ranks(self, all_on_two_ranks: list[Told]) -> list[Told]:
        return all_on_two_ranks


def use(contract: FrameworkContract, name: str) -> FrameworkContract:
    """The contract of the framework of this name."""
    contract.component, contract.options = name, SMALL[name]
    contract.remembers = name in ("moco", "instdisc")
    if name == "simsiam":
        contract.projector = {**contract.projector, "last_affine": True}
    elif name == "tclr_released":  # it reads windows
        contract.base = WINDOWED
    return contract


@pytest.fixture(scope="module")
def all_on_two_ranks() -> list[Told]:
    return on_two_ranks([use(FrameworkContract(), name).training() for name in FRAMEWORKS])


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
