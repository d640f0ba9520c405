"""Gradient caching: chunks through the backbone give what the whole batch gives, in the memory of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from raysl.models.batch_norm import convert_batch_norm
from raysl.models.batch_norm_groups import Grouping
from raysl.objectives.objective import Objective
from raysl.objectives.term import Term, TermOutput
from raysl.training.gradient_cache import GradientCache
from raysl.views.batch import Batch
from tests.objectives.batches import TinyBackbone, random_batch, view
from tests.training.steps import batches_of, cell_of, learner_of

CPU = torch.device("cpu")


class Moment(Term):
    """Mean power of feature maps, pooled or not, over the whole batch."""

    compares_across_batch = True

    def __init__(self, *view_names: str, power: int, pooled: bool) -> None:
        super().__init__()
        self._view_names, self.power, self.pooled = view_names, power, pooled
        self.head = nn.BatchNorm1d(TinyBackbone.feature_dim)

    @property
    def view_names(self) -> tuple[str, ...]:
        return self._view_names

    def reduce(self, feature_map: Tensor) -> Tensor:
        return super().reduce(feature_map) if self.pooled else feature_map

    def forward(self, features: Mapping[str, Tensor], batch: Batch) -> TermOutput:
        rows = [self.head(features[name].flatten(2)) if not self.pooled else features[name] for name in self.view_names]
        means = torch.stack([row.pow(self.power).mean() for row in rows])
        return TermOutput(means.prod() + means.sum(), {f"moment_{self.power}": means[0].detach()})


class DroppingBackbone(TinyBackbone):
    def forward(self, clips: Tensor) -> Tensor:
        return nn.functional.dropout(super().forward(clips), 0.3, self.training)


def objective_of(backbone: type[TinyBackbone], group: int = 2) -> tuple[Objective, Grouping]:
    """Two terms that read one view in two ways, and views of two shapes."""
    torch.manual_seed(0)
    terms: dict[str, tuple[Term, float]] = {
        "pooled": (Moment("query", "long", power=2, pooled=True), 0.5),
        "maps": (Moment("key", "query", power=3, pooled=False), 2.0),
    }
    grouping = Grouping(8, group)
    return convert_batch_norm(Objective(backbone(), terms).double(), grouping), grouping


def batch() -> Batch:
    given = random_batch(8, torch.float64)
    long = torch.randn(8, 3, 8, 16, 16, generator=torch.Generator().manual_seed(5)).double()
    return Batch({**given.views, "long": view(long)})


def result_of(objective: Objective, loss: Tensor) -> dict[str, dict[str, Tensor | None]]:
    gradients = {name: p.grad for name, p in objective.named_parameters()}
    return {"loss": {"loss": loss.detach()}, "gradients": gradients, "state": dict(objective.state_dict())}


def assert_same(found: dict[str, dict[str, Any]], expected: dict[str, dict[str, Any]]) -> None:
    for part, values in expected.items():
        for name, value in values.items():
            assert (value is None) == (found[part][name] is None), name
            if value is not None:
                torch.testing.assert_close(found[part][name], value, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("group", "chunk"), [(1, 1), (2, 2), (2, 4), (4, 4)])
def test_views_of_two_shapes_and_two_reductions(group: int, chunk: int) -> None:
    plain, _ = objective_of(TinyBackbone, group)
    cached, grouping = objective_of(TinyBackbone, group)
    cache = GradientCache(cached, grouping, chunk, CPU, "float32")
    for _ in range(2):
        output = plain(batch())
        (output.loss * 0.25).backward()
        found = cache.backward(batch(), 0.25)
    assert found.terms.keys() == output.terms.keys()
    assert found.metrics.keys() == output.metrics.keys()
    assert_same(result_of(cached, found.loss), result_of(plain, output.loss))


def test_both_passes_drop_out_the_same() -> None:
    plain, grouping = objective_of(DroppingBackbone)
    torch.manual_seed(3)
    parts: dict[str, dict[str, list[Tensor]]] = {name: {} for name in plain.terms}
    for shape in plain.same_shapes(batch()):
        for first in range(0, 8, 4):
            with grouping.window(first, 4):
                chunk = plain.reduced(plain.together(batch(), shape, slice(first, first + 4)))
            for term, views in chunk.items():
                for name, part in views.items():
                    parts[term].setdefault(name, []).append(part)
    output = plain.losses({t: {v: torch.cat(p) for v, p in views.items()} for t, views in parts.items()}, batch())
    output.loss.backward()
    cached, grouping = objective_of(DroppingBackbone)
    torch.manual_seed(3)
    found = GradientCache(cached, grouping, 4, CPU, "float32").backward(batch())
    assert_same(result_of(cached, found.loss), result_of(plain, output.loss))


class Kept:
    """A tensor that autograd keeps for the backward pass; counts the bytes of feature maps that are alive."""

    alive = 0
    most = 0

    def __init__(self, tensor: Tensor) -> None:
        weight = tensor.is_leaf and tensor.requires_grad
        self.tensor, self.bytes = tensor, tensor.nbytes if tensor.ndim == 5 and not weight else 0
        Kept.alive += self.bytes
        Kept.most = max(Kept.most, Kept.alive)

    def __del__(self) -> None:
        Kept.alive -= self.bytes


def most_kept(chunk: int | None, videos: int) -> int:
    """Largest number of bytes of feature maps kept at once in a step."""
    cell = cell_of(batch=videos, chunk=chunk)
    learner, batches = learner_of(cell), batches_of(cell, 0)
    Kept.alive = Kept.most = 0
    with torch.autograd.graph.saved_tensors_hooks(Kept, lambda kept: kept.tensor):
        learner.step(batches, 0)
    assert Kept.alive == 0
    return Kept.most


def test_no_more_than_a_chunk_is_kept() -> None:
    one_chunk, whole = most_kept(None, 4), most_kept(None, 16)
    assert most_kept(4, 16) <= 1.05 * one_chunk
    assert whole > 3.5 * one_chunk


def test_bfloat16_trains_the_backbone() -> None:
    gradients = []
    for precision in ("float32", "bfloat16"):
        objective, grouping = objective_of(TinyBackbone)
        clips = {name: view(given.clips.float()) for name, given in batch().views.items()}
        GradientCache(objective.float(), grouping, 4, CPU, precision).backward(Batch(clips))
        gradient = objective.backbone.get_parameter("convolution.weight").grad
        assert gradient is not None
        gradients.append(gradient)
    assert gradients[1].dtype == torch.float32
    assert not torch.equal(*gradients)
    one, other = (gradient.flatten() for gradient in gradients)
    assert torch.cosine_similarity(one, other, dim=0) > 0.99


def test_a_chunk_divides_a_share() -> None:
    objective, grouping = objective_of(TinyBackbone)
    with pytest.raises(ValueError, match="chunk of 3 videos does not divide the 8"):
        GradientCache(objective, grouping, 3, CPU, "float32")
