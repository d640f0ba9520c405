"""TCLR's losses against plain loops over the formulas of paper and code, in float64, and at orthogonal embeddings."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from raysl.objectives.frameworks.tclr_released import TCLRReleasedOptions
from raysl.objectives.frameworks.tclr_released_term import TCLRReleased, nt_xent_of_all_pairs
from raysl.objectives.losses.temporal_contrast import global_local, local_local
from raysl.objectives.temporal.global_local import GlobalLocalOptions
from raysl.objectives.temporal.global_local_term import GlobalLocal
from raysl.objectives.temporal.local_local import LocalLocalOptions
from raysl.objectives.temporal.local_local_term import LocalLocal
from raysl.objectives.term import Term
from raysl.views.batch import Batch
from tests.objectives.batches import context

BATCHES = range(1, 9)
TIMESTEPS = range(2, 6)
TEMPERATURES = (0.05, 0.1, 0.5, 1.0)
Variant = Literal["paper", "released"]


def h(u: Tensor, v: Tensor, temperature: float) -> Tensor:
    """``exp(s(u, v) / t)`` of rows of length 1."""
    return torch.exp(torch.dot(u, v) / temperature)


def unit(rows: Tensor) -> Tensor:
    return rows / rows.square().sum(dim=-1, keepdim=True).sqrt()


def added(values: list[Tensor]) -> Tensor:
    return torch.stack(values).sum()


def local_local_oracle(first: Tensor, copy: Tensor, temperature: float) -> Tensor:
    """Eq. 2 with G the anchor, and with G' the anchor, averaged; one video at a time, ``[B]``."""
    losses = []
    for videos in zip(unit(first), unit(copy), strict=True):
        directions = []
        for own, other in (videos, videos[::-1]):
            for p in range(len(own)):
                denominator = [h(own[p], own[q], temperature) for q in range(len(own)) if q != p]
                denominator += [h(own[p], other[q], temperature) for q in range(len(own))]
                directions.append(-torch.log(h(own[p], other[p], temperature) / added(denominator)))
        losses.append(added(directions) / 2)
    return torch.stack(losses)


def global_local_oracle(slices: Tensor, local: Tensor, temperature: float) -> Tensor:
    """Eq. 3 and 4 averaged, of each video and pair of copies, ``[B, A, C]``."""
    losses = []
    for i in range(len(slices)):
        for g in unit(slices[i]):
            for clips in unit(local[i]):
                directions = []
                for anchors, others in ((g, clips), (clips, g)):
                    for p in range(len(anchors)):
                        denominator = added([h(anchors[p], other, temperature) for other in others])
                        directions.append(-torch.log(h(anchors[p], others[p], temperature) / denominator))
                losses.append(added(directions) / 2)
    return torch.stack(losses).reshape(len(slices), slices.shape[1], local.shape[1])


def nt_xent_oracle(first: Tensor, copy: Tensor, temperature: float) -> Tensor:
    """NTX of 4.3: the mean over 2n rows, each against all but itself."""
    rows, count = [*unit(first), *unit(copy)], len(first)
    losses = []
    for i, row in enumerate(rows):
        denominator = added([h(row, other, temperature) for k, other in enumerate(rows) if k != i])
        losses.append(-torch.log(h(row, rows[(i + count) % (2 * count)], temperature) / denominator))
    return added(losses) / (2 * count)


def all_pairs_oracle(embeddings: Tensor, temperature: float) -> Tensor:
    """The sum of 4.3 over ordered pairs of different views, before it is divided by N_T."""
    views = embeddings.unbind(dim=1)
    pairs = [(u, v) for u in range(len(views)) for v in range(len(views)) if u != v]
    return added([nt_xent_oracle(views[u], views[v], temperature) for u, v in pairs])


def draw(*shape: int, seed: int = 0) -> Tensor:
    """Rows of many lengths, ``float64``."""
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(*shape, generator=generator, dtype=torch.float64)


def close(found: Tensor, expected: Tensor | float) -> None:
    expected = expected if isinstance(expected, Tensor) else torch.full_like(found, expected)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def assert_same(
    function: Callable[..., Tensor], oracle: Callable[..., Tensor], inputs: list[Tensor], temperature: float
) -> None:
    """Value and gradient, each entry of the result under a weight of its own."""
    found = []
    for each in (function, oracle):
        given = [tensor.clone().requires_grad_() for tensor in inputs]
        value = each(*given, temperature)
        (value * torch.arange(1, value.numel() + 1).reshape(value.shape)).sum().backward()
        found.append([value.detach(), *(tensor.grad for tensor in given)])
    for ours, theirs in zip(*found, strict=True):
        close(ours, theirs)


def temperature_of(*sizes: int) -> float:
    """Each in turn, so that every temperature meets several sizes."""
    return TEMPERATURES[sum(sizes) % len(TEMPERATURES)]


@pytest.mark.parametrize("steps", TIMESTEPS)
@pytest.mark.parametrize("batch", BATCHES)
def test_local_local_equals_the_loops(batch: int, steps: int) -> None:
    first, copy = draw(batch, steps, 6), draw(batch, steps, 6, seed=1)
    assert_same(local_local, local_local_oracle, [first, first + copy / 2], temperature_of(batch, steps))


@pytest.mark.parametrize("steps", TIMESTEPS)
@pytest.mark.parametrize("batch", BATCHES)
def test_global_local_equals_the_loops(batch: int, steps: int) -> None:
    slices, local = draw(batch, 1 + batch % 2, steps, 6), draw(batch, 2, steps, 6, seed=1)
    assert_same(global_local, global_local_oracle, [slices, slices[:, :1] + local], temperature_of(batch, steps))


@pytest.mark.parametrize(("batch", "steps"), [*((b, 2) for b in range(2, 9)), *((3, n) for n in range(1, 6)), (5, 3)])
def test_all_pairs_equal_the_loops(batch: int, steps: int) -> None:
    views = draw(batch, 1, 6) + draw(batch, 2 * steps, 6, seed=1)
    assert_same(nt_xent_of_all_pairs, all_pairs_oracle, [views], temperature_of(batch, steps))


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_every_temperature(temperature: float) -> None:
    first, copy, views = draw(2, 4, 6), draw(2, 4, 6, seed=1), draw(3, 4, 6, seed=2)
    assert_same(local_local, local_local_oracle, [first, copy], temperature)
    assert_same(global_local, global_local_oracle, [first[:, None], copy[:, None]], temperature)
    assert_same(nt_xent_of_all_pairs, all_pairs_oracle, [views], temperature)


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("steps", TIMESTEPS)
def test_orthogonal_embeddings(steps: int, temperature: float) -> None:
    first, copy = (5 * torch.eye(2 * steps, dtype=torch.float64)).expand(3, -1, -1).chunk(2, dim=1)
    close(local_local(first, copy, temperature), steps * math.log(2 * steps - 1))
    close(global_local(first[:, None], copy[:, None], temperature), steps * math.log(steps))
    views = torch.eye(6 * steps, dtype=torch.float64).reshape(3, 2 * steps, -1)
    close(nt_xent_of_all_pairs(views, temperature), 2 * steps * (2 * steps - 1) * math.log(5))


def test_equal_copies_of_orthogonal_timesteps() -> None:
    steps = torch.eye(4, dtype=torch.float64).expand(2, -1, -1)
    close(local_local(steps, steps, 0.5), 4 * math.log(1 + 6 * math.exp(-2)))
    close(global_local(steps[:, None], steps[:, None], 0.5), 4 * math.log(1 + 3 * math.exp(-2)))


def test_other_videos_do_not_count_within_a_video() -> None:
    first, copy = draw(4, 3, 6), draw(4, 3, 6, seed=1)
    close(local_local(first[1:2], copy[1:2], 0.1), local_local(first, copy, 0.1)[1:2])
    by_video = global_local(first[:, None], copy[:, None], 0.1)
    close(global_local(first[1:2, None], copy[1:2, None], 0.1), by_video[1:2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_finite_and_float32_at_an_extreme_temperature(dtype: torch.dtype) -> None:
    first, copy = (draw(3, 4, 6, seed=seed).to(dtype).requires_grad_() for seed in (0, 1))
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
        losses = [
            local_local(first, copy, 1e-4),
            global_local(first[:, None], copy[:, None], 1e-4),
            nt_xent_of_all_pairs(torch.cat([first, copy], dim=1), 1e-4),
        ]
    assert all(loss.dtype == torch.float32 for loss in losses)
    added([loss.sum() for loss in losses]).backward()
    assert all(loss.isfinite().all() for loss in losses)
    assert all(rows.grad is not None and rows.grad.isfinite().all() for rows in (first, copy))


ONE = torch.ones(2, 1, 3)
FOUR = torch.ones(2, 4, 3)
BAD: list[tuple[Callable[..., Tensor], list[Tensor], float, str]] = [
    (local_local, [ONE, ONE], 0.1, "local-local loss needs at least two timesteps"),
    (global_local, [ONE[:, None], ONE[:, None]], 0.1, "global-local loss needs at least two timesteps"),
    (nt_xent_of_all_pairs, [FOUR[:1]], 0.1, "at least two videos"),
    (local_local, [FOUR, FOUR[:, :3]], 0.1, r"\[B, N, d\], got \[2, 4, 3\] and \[2, 3, 3\]"),
    (local_local, [FOUR[0], FOUR[0]], 0.1, r"\[B, N, d\]"),
    (global_local, [FOUR[:, None], FOUR[:, None, :3]], 0.1, r"\[B, C, N, d\]"),
    (global_local, [FOUR, FOUR], 0.1, r"\[B, A, N, d\]"),
    (nt_xent_of_all_pairs, [FOUR[0]], 0.1, r"\[B, V, d\]"),
    *((loss, [FOUR, FOUR], bad, "temperature") for loss in (local_local,) for bad in (0.0, -1.0, math.nan)),
    (global_local, [FOUR[:, None], FOUR[:, None]], 0.0, "temperature"),
    (nt_xent_of_all_pairs, [FOUR], 0.0, "temperature"),
]


@pytest.mark.parametrize(("loss", "inputs", "temperature", "message"), BAD)
def test_bad_input(loss: Callable[..., Tensor], inputs: list[Tensor], temperature: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loss(*inputs, temperature)


def term_of(kind: type[Term], options: Any, batch: int, steps: int) -> Term:
    """Without a projector: features are embeddings."""
    term = kind(options, context(batch_size=batch, timesteps=steps))
    term.projector = nn.Identity()
    return term


def local_term(variant: Variant, batch: int, steps: int) -> Term:
    options = LocalLocalOptions.model_validate({"variant": variant, "projector": {}})
    return term_of(LocalLocal, options, batch, steps)


def global_term(variant: Variant, batch: int, steps: int) -> Term:
    options = GlobalLocalOptions.model_validate({"variant": variant, "projector": {}})
    return term_of(GlobalLocal, options, batch, steps)


def instance_term(batch: int, steps: int) -> Term:
    return term_of(TCLRReleased, TCLRReleasedOptions.model_validate({"projector": {}}), batch, steps)


def loss_of(term: Term, features: Mapping[str, Tensor]) -> Tensor:
    """From ``[B, D, T']`` of each view, already pooled in space."""
    return term({name: features[name] for name in term.view_names}, Batch(views={})).loss


def features_of(slices: Tensor, local: Tensor) -> dict[str, Tensor]:
    """Slices ``[B, 2, N, d]`` and local embeddings ``[B, 2, N, d]`` as the features that give them.

    Timesteps of a feature map come in twos around what their mean must be.
    """
    features = {}
    for copy, suffix in enumerate(("", "/copy")):
        both = torch.stack([1.5 * slices[:, copy], 0.5 * slices[:, copy]], dim=2)  # [B, N, 2, d]
        features[f"global{suffix}"] = both.flatten(1, 2).mT
        for step, rows in enumerate(local[:, copy].unbind(dim=1)):
            features[f"local/{step}{suffix}"] = torch.stack([0.5 * rows, 1.5 * rows], dim=2)
    return features


def orthogonal_features(batch: int, steps: int) -> dict[str, Tensor]:
    """All slices and all local embeddings of all videos."""
    rows = torch.eye(4 * batch * steps, dtype=torch.float64).reshape(batch, 4, steps, -1)
    return features_of(rows[:, :2], rows[:, 2:])


def test_terms_at_orthogonality_have_the_values_of_the_recipe() -> None:
    features = orthogonal_features(40, 4)
    paper = [loss_of(make("paper", 40, 4), features) for make in (local_term, global_term)]
    close(torch.stack(paper), torch.tensor([4 * math.log(7), 4 * math.log(4)], dtype=torch.float64))
    instance = loss_of(instance_term(40, 4), features)
    released = [loss_of(make("released", 40, 4), features) for make in (local_term, global_term)]
    assert instance.item() == pytest.approx(4.369 + 61.17, abs=0.01)
    assert [value.item() for value in released] == [pytest.approx(77.84, abs=0.005), pytest.approx(22.18, abs=0.005)]


def released_oracle(slices: Tensor, local: Tensor, temperature: float) -> dict[str, Tensor]:
    """The three losses of 4.3 with gsr the mean of the slices, written from its sums."""
    batch, _, steps, _ = slices.shape
    copies = range(2)
    whole = slices.mean(dim=2)
    views = [local[:, a, p] for a in copies for p in range(steps)]
    pairs = [(u, v) for u in range(len(views)) for v in range(len(views)) if u != v]
    first_pair = nt_xent_oracle(whole[:, 0], whole[:, 1], temperature)
    other_pairs = added([nt_xent_oracle(views[u], views[v], temperature) for u, v in pairs]) / 4
    matched = []
    for i in range(batch):
        for matrix in [slices[i, a] @ local[i, c].T / temperature for a in copies for c in copies]:
            for side in (matrix, matrix.T):
                matched += [-torch.log(side[p].exp()[p] / side[p].exp().sum()) for p in range(steps)]
    return {
        "instance": first_pair + other_pairs,
        "local_local": added([nt_xent_oracle(local[i, 0], local[i, 1], temperature) for i in range(batch)]),
        "global_local": added(matched) / (2 * batch),
    }


@pytest.mark.parametrize(("batch", "steps"), [(2, 4), (3, 2), (4, 3)])
def test_released_terms_equal_the_loops_of_the_code(batch: int, steps: int) -> None:
    terms = {
        "instance": instance_term(batch, steps),
        "local_local": local_term("released", batch, steps),
        "global_local": global_term("released", batch, steps),
    }
    rows = unit(draw(batch, 4, steps, 6)).requires_grad_()
    slices, local = rows[:, :2], rows[:, 2:]
    expected = released_oracle(slices, local, 0.1)
    for name, term in terms.items():
        found = loss_of(term, features_of(slices, local))
        close(found.detach(), expected[name].detach())
        close(across(rows, found), across(rows, expected[name]))


def across(rows: Tensor, loss: Tensor) -> Tensor:
    """The gradient without its part along each row, which a cosine has not and the code's dot product has."""
    (gradient,) = torch.autograd.grad(loss, rows, retain_graph=True)
    return gradient - (gradient * rows).sum(dim=3, keepdim=True) * rows.detach()


@pytest.mark.parametrize("steps", [2, 4])
def test_paper_terms_are_means_over_videos(steps: int) -> None:
    rows = draw(3, 4, steps, 6)
    features = features_of(rows[:, :2], rows[:, 2:])
    close(loss_of(local_term("paper", 3, steps), features), local_local_oracle(rows[:, 2], rows[:, 3], 0.1).mean())
    close(loss_of(global_term("paper", 3, steps), features), global_local_oracle(rows[:, :1], rows[:, 2:], 0.1).mean())


def test_the_paper_reads_one_global_copy_and_the_code_two() -> None:
    local = {f"local/{step}{copy}" for step in range(4) for copy in ("", "/copy")}
    assert set(global_term("paper", 4, 4).view_names) == {"global"} | local
    assert set(global_term("released", 4, 4).view_names) == {"global", "global/copy"} | local
    assert set(local_term("paper", 4, 4).view_names) == set(local_term("released", 4, 4).view_names) == local


def test_only_a_sum_over_videos_or_their_comparison_depends_on_the_batch() -> None:
    assert not local_term("paper", 4, 4).compares_across_batch
    assert not global_term("paper", 4, 4).compares_across_batch
    assert not global_term("released", 4, 4).compares_across_batch
    assert local_term("released", 4, 4).compares_across_batch
    assert instance_term(4, 4).compares_across_batch
