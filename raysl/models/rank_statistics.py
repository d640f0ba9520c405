"""Batch norm of several groups with samples on one or several ranks: statistics by collectives, with gradient.

Shapes: a part is what this rank holds of one group, ``[n, C, ...]``; G groups, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from raysl.distributed import all_gather, all_reduce_sum


class RankParts(NamedTuple):
    """Which group each part on each rank belongs to.

    Attributes:
        own: group of each part of this rank.
        every: the same of every rank, in rank order.
        groups: G.
    """

    own: tuple[int, ...]
    every: tuple[tuple[int, ...], ...]
    groups: int


class GroupStatistics(NamedTuple):
    """Over all ranks, float32 or better.

    Attributes:
        mean, variance: ``[G, C]``, the biased variance.
        values: how many each channel of a group has, ``[G, 1]``.
    """

    mean: Tensor
    variance: Tensor
    values: Tensor

    @property
    def unbiased_variance(self) -> Tensor:
        return self.variance * (self.values / (self.values - 1))


@torch.no_grad()
def group_statistics(parts: Sequence[Tensor], where: RankParts) -> GroupStatistics:
    """The statistics of every group, the same on every rank. Collective; ranks may hold different numbers of samples.

    Args:
        parts: what this rank holds, one part of each group in ``where.own``.
    """
    slots, channels = max(len(groups) for groups in where.every), parts[0].shape[1]
    local = [_part_statistics(part) for part in parts]
    local += [torch.zeros_like(local[0])] * (slots - len(local))
    rows = F.pad(all_gather(torch.stack(local)), (0, 0, 0, 1))  # and a row without values, which fills up below
    gathered = rows[torch.tensor(_rows_of_groups(where, slots), device=rows.device)]
    means, variances, counts = torch.split(gathered, [channels, channels, 1], dim=-1)
    # Chan et al. 1979: combining means and variances avoids the cancellation of E[x^2] - E[x]^2.
    total = counts.sum(dim=1)
    mean = (means * counts).sum(dim=1) / total
    spread = variances + (means - mean[:, None]).square()
    return GroupStatistics(mean, (spread * counts).sum(dim=1) / total, total)


def _part_statistics(part: Tensor) -> Tensor:
    """Mean, biased variance and values per channel, ``[2 C + 1]``."""
    dtype = torch.promote_types(part.dtype, torch.float32)
    unused = part.new_zeros(part.shape[1], dtype=dtype)
    # In channels_last ATen's kernel is ten times faster than var_mean; float32 buffers make it accumulate in float32.
    mean, variance = torch.batch_norm_update_stats(part, unused, unused.clone(), 0.0)
    count = mean.new_full((1,), part.numel() // part.shape[1], dtype=dtype)
    return torch.cat([mean.to(dtype), variance.to(dtype), count])


def _rows_of_groups(where: RankParts, slots: int) -> list[list[int]]:
    """Each group's rows among those of all ranks, padded to one length with the index after the last row."""
    rows: list[list[int]] = [[] for _ in range(where.groups)]
    for rank, groups in enumerate(where.every):
        for slot, group in enumerate(groups):
            rows[group].append(rank * slots + slot)
    longest = max(map(len, rows))
    return [found + [len(where.every) * slots] * (longest - len(found)) for found in rows]


def normalise(
    parts: Sequence[Tensor],
    where: RankParts,
    statistics: GroupStatistics,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> tuple[Tensor, ...]:
    """``(x - mean) / sqrt(variance + eps) * weight + bias`` of each part, by its group's statistics.

    Differentiated through the statistics on all ranks, by one collective.
    """
    results: tuple[Tensor, ...] = _Normalise.apply(where, statistics, eps, weight, bias, *parts)
    return results


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        where: RankParts,
        statistics: GroupStatistics,
        eps: float,
        weight: Tensor | None,
        bias: Tensor | None,
        *parts: Tensor,
    ) -> tuple[Tensor, ...]:
        ctx.save_for_backward(weight, *statistics, *parts)
        ctx.where, ctx.eps, ctx.has_bias = where, eps, bias is not None
        mean, variance, _ = statistics
        return tuple(
            F.batch_norm(part, mean[group], variance[group], weight, bias, False, 0.0, eps)
            for group, part in zip(where.own, parts, strict=True)
        )

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        weight, mean, variance, values, *parts = ctx.saved_tensors
        # ATen's inference backward gives dy * scale, and the local sums of dy * (x - mean) / std and of dy.
        unit = weight if weight is not None else torch.ones_like(mean[0])
        unsaved = mean.new_empty(0)  # as the forward pass gives it in eval mode; CUDA refuses None
        found = [
            torch.ops.aten.native_batch_norm_backward(
                gradient.to(part.dtype),
                part,
                unit,
                mean[group],
                variance[group],
                unsaved,
                unsaved,
                False,
                ctx.eps,
                [True] * 3,
            )
            for group, part, gradient in zip(ctx.where.own, parts, gradients, strict=True)
        ]
        if ctx.needs_input_grad[5]:
            sums = mean.new_zeros(len(mean), 2, mean.shape[1])
            for group, (_, by_weight, by_bias) in zip(ctx.where.own, found, strict=True):
                sums[group] = torch.stack([by_weight, by_bias])
            means = all_reduce_sum(sums) / values[:, None]
            for group, part, (gradient, _, _) in zip(ctx.where.own, parts, found, strict=True):
                _add_through_statistics(gradient, part, unit, mean[group], variance[group] + ctx.eps, means[group])
        by_weight, by_bias = (torch.stack([entry[index] for entry in found]).sum(dim=0) for index in (1, 2))
        return (
            *(None,) * 3,
            by_weight if weight is not None and ctx.needs_input_grad[3] else None,
            by_bias if ctx.has_bias and ctx.needs_input_grad[4] else None,
            *(entry[0] if ctx.needs_input_grad[5] else None for entry in found),
        )


def _add_through_statistics(
    gradient: Tensor, part: Tensor, weight: Tensor, mean: Tensor, variance: Tensor, means: Tensor
) -> None:
    """Adds ``-scale * (mean(dy) + x_hat * mean(dy * x_hat))``, which is ``slope * x + offset``, in place."""
    inverse_std = torch.rsqrt(variance)
    scale = weight * inverse_std
    slope = -scale * inverse_std * means[0]
    offset = -scale * means[1] - slope * mean
    shape = [1, -1] + [1] * (part.ndim - 2)
    gradient.add_(torch.addcmul(offset.view(shape), part, slope.view(shape)))
