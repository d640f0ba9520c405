"""InstDisc's logits and both of its losses: plain loops over the formulas in float64, and closed forms."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from raysl.objectives.losses.info_nce import info_nce
from raysl.objectives.losses.noise_contrastive import bank_logits, log_normaliser, noise_contrastive_loss

ENTRIES = 11


def tensors(batch: int, negatives: int, dim: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    """Queries of any length, a bank that is not normalised, and drawn rows, some of them twice; float64."""
    generator = torch.Generator().manual_seed(batch + negatives)
    query = 3 * torch.randn(batch, dim, generator=generator, dtype=torch.float64)
    bank = torch.randn(ENTRIES, dim, generator=generator, dtype=torch.float64) / math.sqrt(dim)
    return query, bank, torch.randint(ENTRIES, (batch, 1 + negatives), generator=generator)


def products(query: Tensor, bank: Tensor, drawn: Tensor, temperature: float) -> list[list[Tensor]]:
    rows = []
    for q, indices in zip(query, drawn.tolist(), strict=True):
        unit = q / torch.sqrt((q * q).sum())
        rows.append([(unit * bank[index]).sum() / temperature for index in indices])
    return rows


def softmax_oracle(query: Tensor, bank: Tensor, drawn: Tensor, temperature: float) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for row in products(query, bank, drawn, temperature):
        exponentials = [torch.exp(value) for value in row]
        total = total - torch.log(exponentials[0] / torch.stack(exponentials).sum())
    return total / len(query)


def nce_oracle(query: Tensor, bank: Tensor, drawn: Tensor, temperature: float) -> Tensor:
    """lemniscate: Z from this batch, 1e-7 inside the denominators."""
    rows = products(query, bank, drawn, temperature)
    every = [torch.exp(value).item() for row in rows for value in row]
    z = sum(every) / len(every) * ENTRIES
    noise = (drawn.shape[1] - 1) / ENTRIES
    total = torch.zeros((), dtype=torch.float64)
    for row in rows:
        p = [torch.exp(value) / z for value in row]
        total = total - torch.log(p[0] / (p[0] + noise + 1e-7))
        for other in p[1:]:
            total = total - torch.log(noise / (other + noise + 1e-7))
    return total / len(query)


def softmax_ours(query: Tensor, bank: Tensor, drawn: Tensor, temperature: float) -> Tensor:
    return info_nce(bank_logits(query, bank, drawn, temperature)).loss


def nce_ours(query: Tensor, bank: Tensor, drawn: Tensor, temperature: float) -> Tensor:
    logits = bank_logits(query, bank, drawn, temperature)
    return noise_contrastive_loss(logits, log_normaliser(logits, ENTRIES), ENTRIES)


@pytest.mark.parametrize("pair", [(softmax_ours, softmax_oracle), (nce_ours, nce_oracle)], ids=["softmax", "nce"])
@pytest.mark.parametrize("temperature", [0.07, 0.3, 1.0])
@pytest.mark.parametrize(("batch", "negatives"), [(1, 2), (3, 5), (4, 20)])
def test_value_and_gradient_equal_the_oracle(
    pair: tuple[Callable[..., Tensor], ...], batch: int, negatives: int, temperature: float
) -> None:
    results = []
    for function in pair:
        query, bank, drawn = tensors(batch, negatives)
        bank.requires_grad_(function in (softmax_ours, nce_ours))
        loss = function(query.requires_grad_(), bank, drawn, temperature)
        loss.backward()
        assert bank.grad is None
        assert query.grad is not None
        results.append((loss.detach(), query.grad))
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-10)


def test_everything_orthogonal_to_the_query() -> None:
    query, entry = torch.eye(2, dtype=torch.float64).split(1)
    bank = entry.expand(16_385, 2)
    logits = bank_logits(query, bank, torch.arange(16_385)[None], 0.07)
    assert info_nce(logits).loss.item() == pytest.approx(math.log(16_385), abs=1e-9)
    # Every exponential is 1: Z = N, P = 1 / N, and with K = N - 1 the ratios are known.
    log_z = log_normaliser(logits, 16_385)
    assert log_z.item() == pytest.approx(math.log(16_385), abs=1e-9)
    p, noise = 1 / 16_385, 16_384 / 16_385
    expected = -math.log(p / (p + noise + 1e-7)) - 16_384 * math.log(noise / (p + noise + 1e-7))
    assert noise_contrastive_loss(logits, log_z, 16_385).item() == pytest.approx(expected, rel=1e-9)


def test_nce_at_a_low_temperature_stays_finite_in_float32() -> None:
    query, bank, drawn = (t.float() if t.is_floating_point() else t for t in tensors(4, 8))
    loss = nce_ours(query.requires_grad_(), bank, drawn, 1e-3)
    loss.backward()
    assert torch.isfinite(loss)
    assert query.grad is not None
    assert torch.isfinite(query.grad).all()


@pytest.mark.parametrize("temperature", [0.0, -0.1, math.nan])
def test_a_temperature_that_is_not_positive_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature"):
        bank_logits(*tensors(2, 3), temperature)
