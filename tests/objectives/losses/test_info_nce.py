"""InfoNCE against a queue: plain loops over MoCo Eq. 1 in float64, closed forms, and lightly's loss."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from raysl.objectives.losses.info_nce import info_nce, queue_logits
from raysl.objectives.losses.nt_xent import unit_rows


def tensors(batch: int, negatives: int, dim: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    """Queries and keys of any length, and a queue of unit columns; float64."""
    generator = torch.Generator().manual_seed(batch + negatives)
    query = torch.randn(batch, dim, generator=generator, dtype=torch.float64)
    key = query + torch.randn(batch, dim, generator=generator, dtype=torch.float64)
    queue = unit_rows(torch.randn(negatives, dim, generator=generator, dtype=torch.float64)).T
    return query, 3 * key, queue


def oracle(query: Tensor, key: Tensor, queue: Tensor, temperature: float) -> Tensor:
    """MoCo Eq. 1, one number at a time."""
    total = torch.zeros((), dtype=torch.float64)
    for q, k in zip(query, key, strict=True):
        q, k = q / torch.sqrt((q * q).sum()), k / torch.sqrt((k * k).sum())
        positive = torch.exp((q * k).sum() / temperature)
        denominator = positive
        for column in range(queue.shape[1]):
            denominator = denominator + torch.exp((q * queue[:, column]).sum() / temperature)
        total = total - torch.log(positive / denominator)
    return total / len(query)


def ours(query: Tensor, key: Tensor, queue: Tensor, temperature: float) -> Tensor:
    return info_nce(queue_logits(query, key, queue, temperature)).loss


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("temperature", [0.05, 0.07, 0.5, 1.0])
@pytest.mark.parametrize(("batch", "negatives"), [(1, 1), (3, 7), (4, 32)])
def test_value_and_gradient_equal_the_oracle(batch: int, negatives: int, temperature: float) -> None:
    results = []
    for function in (ours, oracle):
        query, key, queue = tensors(batch, negatives)
        loss = function(query.requires_grad_(), key, queue, temperature)
        loss.backward()
        assert query.grad is not None
        results.append((loss.detach(), query.grad))
    close(results[0][0], results[1][0])
    close(results[0][1], results[1][1])


def test_key_and_queue_get_no_gradient() -> None:
    query, key, queue = (tensor.requires_grad_() for tensor in tensors(3, 8))
    ours(query, key, queue, 0.1).backward()
    assert query.grad is not None
    assert key.grad is None
    assert queue.grad is None


@pytest.mark.parametrize(("negatives", "printed"), [(16_384, 9.7041), (65_536, 11.0904)])
@pytest.mark.parametrize("temperature", [0.07, 0.2])
def test_everything_orthogonal_to_the_query(negatives: int, printed: float, temperature: float) -> None:
    query, other = torch.eye(2, dtype=torch.float64).split(1)
    loss = ours(query, other, other.T.expand(2, negatives), temperature)
    assert loss.item() == pytest.approx(math.log(negatives + 1), abs=1e-9)
    assert loss.item() == pytest.approx(printed, abs=5e-5)


def test_accuracy_counts_queries_nearest_to_their_key() -> None:
    rows = torch.eye(4)
    queue = unit_rows(torch.tensor([[1.0, 0.1, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])).T
    result = info_nce(queue_logits(rows, rows, queue, 0.1))
    assert result.accuracy == 0.75  # the last query meets its own key in the queue
    assert info_nce(queue_logits(rows, rows.roll(1, 0), queue, 0.1)).accuracy == 0


def test_entropy_is_of_the_softmax_over_the_key_and_the_queue() -> None:
    """Uniform over 1 + K where all are alike, and 0 where one alone is near."""
    query = torch.eye(2, dtype=torch.float64)[:1]
    alike = info_nce(queue_logits(query, query, query.T.expand(2, 6), 0.1)).entropy
    assert alike.item() == pytest.approx(math.log(7))
    assert info_nce(queue_logits(query, query, -query.T.expand(2, 6), 0.01)).entropy.item() == pytest.approx(0)
    query, key, queue = tensors(3, 5)
    logits = queue_logits(query.requires_grad_(), key, queue, 0.3)
    shares = logits.detach().exp() / logits.detach().exp().sum(dim=1, keepdim=True)
    found = info_nce(logits).entropy
    close(found, -(shares * shares.log()).sum(dim=1).mean())
    assert not found.requires_grad


@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_equals_lightly_with_its_memory_bank(temperature: float) -> None:
    loss_module = pytest.importorskip("lightly.loss.ntx_ent_loss")
    query, key, queue = (tensor.float() for tensor in tensors(4, 16))
    theirs = loss_module.NTXentLoss(temperature=temperature, memory_bank_size=(16, 5))
    theirs.memory_bank.bank.copy_(queue.T if theirs.memory_bank.bank.shape == (16, 5) else queue)
    gradients, losses = [], []
    for function in (theirs, lambda q, k: ours(q, k, queue, temperature)):
        leaf = query.clone().requires_grad_()
        loss = function(leaf, key)
        loss.backward()
        assert leaf.grad is not None
        gradients.append(leaf.grad)
        losses.append(loss.detach())
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-6)


def test_float32_under_bfloat16_autocast() -> None:
    query, key, queue = (tensor.bfloat16() for tensor in tensors(4, 8))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = ours(query, key, queue.float(), 0.07)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, ours(query.float(), key.float(), queue.float(), 0.07))


def test_extreme_temperature_stays_finite_in_float32() -> None:
    query, key, queue = (tensor.float() for tensor in tensors(4, 8))
    loss = ours(query.requires_grad_(), key, queue, 1e-4)
    loss.backward()
    assert torch.isfinite(loss)
    assert query.grad is not None
    assert torch.isfinite(query.grad).all()


@pytest.mark.parametrize(
    ("key", "queue", "temperature", "message"),
    [
        (torch.ones(3, 4), torch.ones(4, 6), 0.1, r"\[d, K\]"),
        (torch.ones(2, 4), torch.ones(6, 4), 0.1, r"\[d, K\]"),
        (torch.ones(2, 4), torch.ones(4, 6), 0.0, "temperature"),
        (torch.ones(2, 4), torch.ones(4, 6), -1.0, "temperature"),
        (torch.ones(2, 4), torch.ones(4, 6), math.nan, "temperature"),
    ],
)
def test_bad_input(key: Tensor, queue: Tensor, temperature: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        queue_logits(torch.ones(2, 4), key, queue, temperature)
