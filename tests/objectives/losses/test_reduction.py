"""Losses as sums over the batch: CSTP's Eq. 1 and 3 written out, and every framework that has the option."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from raysl.config.component import find, names
from raysl.objectives.frameworks.byol_term import BYOL
from raysl.objectives.frameworks.simclr_term import SimCLR
from raysl.objectives.losses.reduction import reduced
from raysl.objectives.term import Term, TransformedViews
from tests.objectives.batches import context, random_batch, small_options

FRAMEWORKS = [name for name in names("framework") if "reduction" in find("framework", name).options.model_fields]
PRINTED: dict[str, Any] = {"reduction": "sum", "symmetric": "one_way"}
VIDEOS = 4


def built(name: str, tasks: bool = False, **options: Any) -> Term:
    torch.manual_seed(0)
    transformed = {"turn": TransformedViews(("turn",), 8)} if tasks else {}
    given = context(transformed=transformed, videos=range(16))
    term: Term = find("framework", name).build(small_options(name, **options), given)
    return term.double()


def features() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.rand(VIDEOS, 6, generator=generator).double() for name in ("query", "key", "turn")}


def test_these_frameworks_are_those_that_cstp_compares() -> None:
    assert FRAMEWORKS == ["byol", "moco", "simclr", "simsiam"]


@pytest.mark.parametrize("tasks", [False, True])
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_sum_is_the_mean_as_often_as_there_are_videos(name: str, tasks: bool) -> None:
    batch = random_batch(VIDEOS, torch.float64)
    losses = {how: built(name, tasks, reduction=how)(features(), batch).loss for how in ("mean", "sum")}
    torch.testing.assert_close(losses["sum"], VIDEOS * losses["mean"], rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_sum_is_not_accumulated(name: str) -> None:
    """Half the batch twice is half of it."""
    assert built(name, reduction="sum").compares_across_batch
    assert built(name).compares_across_batch == (name == "simclr")


def test_simclr_is_cstps_equation_1() -> None:
    term = built("simclr", temperature=0.5, positive_in_denominator=False, **PRINTED)
    assert isinstance(term, SimCLR)
    embedded = term.embed({name: rows for name, rows in features().items() if name != "turn"})
    query, key = (torch.nn.functional.normalize(embedded[name], dim=1) for name in ("query", "key"))
    expected = torch.zeros((), dtype=torch.float64)
    for i in range(VIDEOS):
        others = [row for j in range(VIDEOS) if j != i for row in (query[j], key[j])]
        denominator = sum(((query[i] @ row) / 0.5).exp() for row in others)
        expected = expected - (((query[i] @ key[i]) / 0.5).exp() / denominator).log()
    torch.testing.assert_close(term(features(), random_batch(VIDEOS, torch.float64)).loss, expected)


def test_byol_is_cstps_equation_3() -> None:
    term = built("byol", loss="cosine", **PRINTED)
    assert isinstance(term, BYOL)
    batch = random_batch(VIDEOS, torch.float64)
    predictions, targets = term.predictor(term.projector(features()["query"])), term.target(batch.views["key"].clips)
    expected = -sum((p @ z) / (p.norm() * z.norm()) for p, z in zip(predictions, targets, strict=True))
    assert isinstance(expected, torch.Tensor)
    torch.testing.assert_close(term(features(), batch).loss, expected)


def test_one_rank_of_two_counts_the_videos_of_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raysl.objectives.losses.reduction.world_size", lambda: 2)
    assert reduced(torch.tensor(0.5), VIDEOS, "sum").item() == VIDEOS
    assert reduced(torch.tensor(0.5), VIDEOS, "mean").item() == 0.5
