"""NT-Xent against plain loops over the formula of the paper, in float64, and against its closed-form anchors."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from raysl.objectives.losses.nt_xent import nt_xent
from raysl.testing.ranks import run_ranks

SWITCHES: list[dict[str, Any]] = [
    {},
    {"symmetric": "sum"},
    {"symmetric": "one_way"},
    {"positive_in_denominator": False},
    {"same_view_negatives": False},
    {"same_view_negatives": False, "symmetric": "one_way"},
    {"positive_in_denominator": False, "same_view_negatives": False, "symmetric": "sum"},
]


def oracle(
    query: Tensor,
    key: Tensor,
    temperature: float,
    positive_in_denominator: bool = True,
    same_view_negatives: bool = True,
    symmetric: str = "mean",
    bank_negatives: Tensor | None = None,
) -> Tensor:
    """SimCLR Eq. 1 written out: rows 0..N-1 are the queries, N..2N-1 the keys; one number at a time."""
    count = len(query)
    rows = [*query, *key]
    view = [0] * count + [1] * count
    anchors = range(count) if symmetric == "one_way" else range(2 * count)
    total = torch.zeros((), dtype=torch.float64)
    for i in anchors:
        positive = i + count if i < count else i - count
        denominator = torch.zeros((), dtype=torch.float64)
        for k in range(2 * count):
            if k == i or (k == positive and not positive_in_denominator):
                continue
            if view[k] == view[i] and not same_view_negatives:
                continue
            denominator = denominator + torch.exp(similarity(rows[i], rows[k]) / temperature)
        for entry in () if bank_negatives is None else bank_negatives:
            denominator = denominator + torch.exp(similarity(rows[i], entry) / temperature)
        total = total - torch.log(torch.exp(similarity(rows[i], rows[positive]) / temperature) / denominator)
    return total / (2 * count if symmetric == "mean" else count)


def similarity(u: Tensor, v: Tensor) -> Tensor:
    dot = sum((a * b for a, b in zip(u, v, strict=True)), torch.zeros((), dtype=torch.float64))
    length_u = torch.sqrt(sum((a * a for a in u), torch.zeros((), dtype=torch.float64)))
    length_v = torch.sqrt(sum((a * a for a in v), torch.zeros((), dtype=torch.float64)))
    return dot / (length_u * length_v)


def embeddings(batch: int, dim: int = 5, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    key = torch.randn(batch, dim, generator=generator, dtype=torch.float64) * 3
    query = key + torch.randn(batch, dim, generator=generator, dtype=torch.float64)
    return query, key


def bank(entries: int, dim: int = 5) -> Tensor:
    return 2 * torch.randn(entries, dim, generator=torch.Generator().manual_seed(7), dtype=torch.float64)


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("negatives", [None, 0, 1, 6])
@pytest.mark.parametrize("switches", SWITCHES, ids=str)
@pytest.mark.parametrize(("batch", "temperature"), [(2, 0.1), (3, 0.5), (5, 1.0), (4, 0.05)])
def test_value_and_gradient_equal_the_oracle(
    batch: int, temperature: float, switches: dict[str, Any], negatives: int | None
) -> None:
    gradients = []
    losses = []
    entries = None if negatives is None else bank(negatives)
    for function in (nt_xent, oracle):
        query, key = (x.requires_grad_() for x in embeddings(batch))
        result = function(query, key, temperature, **switches, bank_negatives=entries)
        loss = result if isinstance(result, Tensor) else result.loss
        loss.backward()
        losses.append(loss.detach())
        gradients.append(torch.cat([given.grad for given in (query, key) if given.grad is not None]))
    close(losses[0], losses[1])
    close(gradients[0], gradients[1])


@pytest.mark.parametrize("batch", [2, 4, 8])
@pytest.mark.parametrize("temperature", [0.07, 0.5])
class TestAnchors:
    def test_orthonormal_views(self, batch: int, temperature: float) -> None:
        query, key = torch.eye(2 * batch, dtype=torch.float64).chunk(2)
        close(nt_xent(query, key, temperature).loss, torch.tensor(math.log(2 * batch - 1), dtype=torch.float64))

    def test_equal_views_of_orthogonal_videos(self, batch: int, temperature: float) -> None:
        rows = 7 * torch.eye(batch, dtype=torch.float64)
        expected = math.log(1 + (2 * batch - 2) * math.exp(-1 / temperature))
        close(nt_xent(rows, rows, temperature).loss, torch.tensor(expected, dtype=torch.float64))

    def test_collapsed(self, batch: int, temperature: float) -> None:
        rows = torch.ones(batch, 3, dtype=torch.float64)
        result = nt_xent(rows, rows, temperature)
        close(result.loss, torch.tensor(math.log(2 * batch - 1), dtype=torch.float64))
        assert result.accuracy == 0
        close(result.entropy, result.loss)

    def test_a_bank_of_orthogonal_entries_counts_each(self, batch: int, temperature: float) -> None:
        query, key, entries = torch.eye(3 * batch, dtype=torch.float64).chunk(3)
        expected = torch.tensor(math.log(3 * batch - 1), dtype=torch.float64)
        close(nt_xent(query, key, temperature, bank_negatives=entries).loss, expected)

    def test_sum_is_twice_the_mean(self, batch: int, temperature: float) -> None:
        query, key = embeddings(batch)
        close(nt_xent(query, key, temperature, symmetric="sum").loss, 2 * nt_xent(query, key, temperature).loss)


@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_equals_lightly(temperature: float) -> None:
    module = pytest.importorskip("lightly.loss.ntx_ent_loss")
    results = []
    for function in (module.NTXentLoss(temperature=temperature), lambda q, k: nt_xent(q, k, temperature).loss):
        query, key = (x.requires_grad_() for x in embeddings(5))
        loss = function(query, key)
        loss.backward()
        assert query.grad is not None
        assert key.grad is not None
        results.append(torch.cat([loss.detach().reshape(1), query.grad.flatten(), key.grad.flatten()]))
    torch.testing.assert_close(results[1], results[0], rtol=1e-6, atol=1e-8)


def test_accuracy_counts_anchors_nearest_to_their_positive() -> None:
    rows = torch.eye(4)
    assert nt_xent(rows, rows, 0.1).accuracy == 1
    swapped = rows[[1, 0, 2, 3]]
    assert nt_xent(rows, swapped, 0.1).accuracy == 0.5


def test_an_entry_of_the_bank_that_is_nearer_than_the_positive_counts_against_the_anchor() -> None:
    query, key = torch.eye(4), torch.eye(4) + torch.eye(4).roll(1, dims=0) / 2
    assert nt_xent(query, key, 0.1, bank_negatives=-query).accuracy == 1
    # Beyond the first query, seen from its key: nearer to the query than the key is, and farther from the key.
    beyond = query[:1] - (key - query)[:1] / 2
    assert nt_xent(query, key, 0.1, bank_negatives=beyond).accuracy == 7 / 8


def test_no_gradient_reaches_the_bank() -> None:
    query, key = (x.requires_grad_() for x in embeddings(3))
    entries = bank(4).requires_grad_()
    nt_xent(query, key, 0.1, bank_negatives=entries).loss.backward()
    assert entries.grad is None
    assert query.grad is not None


def test_a_bank_without_entries_changes_nothing() -> None:
    query, key = embeddings(4)
    empty, without = (nt_xent(query, key, 0.1, bank_negatives=entries) for entries in (bank(0), None))
    assert torch.equal(empty.loss, without.loss)
    assert torch.equal(empty.accuracy, without.accuracy)


def test_extreme_temperature_stays_finite_in_float32() -> None:
    query, key = (x.float().requires_grad_() for x in embeddings(8))
    loss = nt_xent(query, key, 1e-4).loss
    loss.backward()
    assert torch.isfinite(loss)
    assert query.grad is not None
    assert torch.isfinite(query.grad).all()


@pytest.mark.parametrize("entries", [None, bank(3).float()], ids=["without a bank", "with a bank"])
def test_float32_under_bfloat16_autocast(entries: Tensor | None) -> None:
    query, key = (x.bfloat16() for x in embeddings(8))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = nt_xent(query, key, 0.1, bank_negatives=entries).loss
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, nt_xent(query.float(), key.float(), 0.1, bank_negatives=entries).loss)


@pytest.mark.parametrize(
    ("query", "key", "temperature", "message"),
    [
        (torch.ones(2, 3), torch.ones(3, 3), 0.1, r"\[B, d\]"),
        (torch.ones(3), torch.ones(3), 0.1, r"\[B, d\]"),
        (torch.ones(2, 3), torch.ones(2, 3), 0.0, "temperature"),
        (torch.ones(2, 3), torch.ones(2, 3), math.nan, "temperature"),
        (torch.ones(1, 3), torch.ones(1, 3), 0.1, "at least two videos"),
    ],
)
def test_bad_input(query: Tensor, key: Tensor, temperature: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        nt_xent(query, key, temperature)


def on_rank(rank: int, size: int) -> list[tuple[Tensor, ...]]:
    results: list[tuple[Tensor, ...]] = []
    for switches in [*SWITCHES, {"bank_negatives": bank(4)}]:
        query, key = (x.chunk(size)[rank].clone().requires_grad_() for x in embeddings(6))
        result = nt_xent(query, key, 0.3, **switches)
        result.loss.backward()
        assert query.grad is not None
        assert key.grad is not None
        results.append((result.loss.detach(), query.grad, key.grad, result.accuracy, result.entropy))
    return results


@pytest.mark.slow
def test_three_ranks_equal_one() -> None:
    size = 3
    alone = on_rank(0, 1)
    ranks = run_ranks(on_rank, size, size)
    for case, (loss, query_gradient, key_gradient, accuracy, entropy) in enumerate(alone):
        losses, query_gradients, key_gradients, accuracies, entropies = zip(*(r[case] for r in ranks), strict=True)
        close(torch.stack(losses).mean(), loss)
        close(torch.stack(accuracies).mean(), accuracy)
        close(torch.stack(entropies).mean(), entropy)
        # DDP averages gradients over ranks; a row's gradient is on one rank only, so the average is a division.
        close(torch.cat(query_gradients) / size, query_gradient)
        close(torch.cat(key_gradients) / size, key_gradient)
