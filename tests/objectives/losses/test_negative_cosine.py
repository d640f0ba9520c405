"""The losses of BYOL and SimSiam: anchors of the papers, plain loops in float64, and lightly's loss."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from raysl.objectives.losses.negative_cosine import negative_cosine, squared_distance


def oracle(prediction: Tensor, target: Tensor) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for p, z in zip(prediction, target, strict=True):
        total = total - (p * z).sum() / (torch.sqrt((p * p).sum()) * torch.sqrt((z * z).sum()))
    return total / len(prediction)


def rows(batch: int, dim: int = 6) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(batch)
    pair = torch.randn(2, batch, dim, generator=generator, dtype=torch.float64)
    return 5 * pair[0], 0.2 * pair[1]


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_value_and_gradient_equal_the_oracle_and_the_target_gets_none(batch: int) -> None:
    gradients = []
    for function in (negative_cosine, oracle):
        prediction, target = rows(batch)
        target.requires_grad_(function is negative_cosine)
        loss = function(prediction.requires_grad_(), target)
        loss.backward()
        assert target.grad is None
        torch.testing.assert_close(loss.detach(), oracle(*rows(batch)))
        gradients.append(prediction.grad)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_squared_distance_is_that_of_unit_rows(batch: int) -> None:
    prediction, target = rows(batch)
    unit = [r / r.norm(dim=1, keepdim=True) for r in (prediction, target)]
    torch.testing.assert_close(squared_distance(prediction, target), (unit[0] - unit[1]).square().sum(dim=1).mean())


@pytest.mark.parametrize(
    ("target", "simsiam", "byol"), [([[2.0, 0.0]], -1.0, 0.0), ([[0.0, 3.0]], 0.0, 4.0), ([[-1.0, 0.0]], 1.0, 8.0)]
)
def test_anchors_of_two_directions(target: list[list[float]], simsiam: float, byol: float) -> None:
    query, key = torch.tensor([[1.0, 0.0]]), torch.tensor(target)
    both = (negative_cosine(query, key) + negative_cosine(key, query)) / 2
    assert both.item() == pytest.approx(simsiam, abs=1e-6)
    assert (squared_distance(query, key) + squared_distance(key, query)).item() == pytest.approx(byol, abs=1e-6)


def test_equals_lightly() -> None:
    module = pytest.importorskip("lightly.loss.negative_cosine_similarity")
    results = []
    for function in (module.NegativeCosineSimilarity(), negative_cosine):
        prediction, target = rows(5)
        loss = function(prediction.requires_grad_(), target)
        loss.backward()
        results.append((loss.detach(), prediction.grad))
    for theirs, ours in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_float32_under_bfloat16_autocast() -> None:
    prediction, target = (r.bfloat16() for r in rows(4))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = negative_cosine(prediction, target)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, negative_cosine(prediction.float(), target.float()))


@pytest.mark.parametrize(("first", "second"), [((2, 3), (3, 3)), ((3,), (3,))])
def test_shapes_that_differ_are_refused(first: tuple[int, ...], second: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\[B, d\]"):
        negative_cosine(torch.ones(first), torch.ones(second))
