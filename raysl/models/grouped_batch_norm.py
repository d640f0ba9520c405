"""Batch norm over the global batch, and over groups of videos of it, as modules."""

from __future__ import annotations

from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from raysl.distributed import world_size
from raysl.errors import ConfigError
from raysl.models.batch_norm_groups import Grouping
from raysl.models.rank_statistics import RankParts, group_statistics, normalise


class TrackedBatchNorm(_BatchNorm):
    """Base of the batch norms here, for ``[N, C, ...]`` of any rank: nn.BatchNorm's state, evaluation and tracking.

    In eval mode it is nn.BatchNorm.
    """

    @classmethod
    def of(cls, norm: _BatchNorm) -> Self:
        """With the parameters and buffers of ``norm`` (the same tensors)."""
        result = cls(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        result.weight, result.bias = norm.weight, norm.bias
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            setattr(result, name, getattr(norm, name))
        return result.train(norm.training)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2 or input.shape[1] != self.num_features:
            raise ValueError(f"batch norm expects [N, {self.num_features}, ...], got {list(input.shape)}")

    @property
    def _tracks(self) -> bool:
        return self.training and self.track_running_stats and self.running_mean is not None

    def _evaluated(self, input: Tensor) -> Tensor:
        """Normalised by the running statistics."""
        return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)

    @torch.no_grad()
    def _track(self, mean: Tensor, unbiased_variance: Tensor) -> None:
        """Moves the running statistics ``[C]`` towards those of one batch, as nn.BatchNorm does."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        # nn.BatchNorm: without a momentum the running statistics are the average of all batches.
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(unbiased_variance.to(self.running_var.dtype), share)


class GlobalBatchNorm(TrackedBatchNorm):
    """nn.BatchNorm1d, 2d or 3d with statistics over the batch of all ranks: ``[N, C, ...]`` to the same shape.

    The running variance is the unbiased one of the global batch. Under bfloat16 autocast statistics are float32, as in
    nn.BatchNorm; in eval mode it is nn.BatchNorm. Ranks may hold different numbers of samples.
    """

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        if not self.training and self.running_mean is not None:
            return self._evaluated(input)
        where = RankParts((0,), ((0,),) * world_size(), 1)
        statistics = group_statistics([input], where)
        if statistics.values < 2:
            raise ValueError(f"batch norm needs more than 1 value per channel when training, got {list(input.shape)}")
        if self._tracks:
            self._track(statistics.mean[0], statistics.unbiased_variance[0])
        (result,) = normalise([input], where, statistics, self.weight, self.bias, self.eps)
        return result


class GroupedBatchNorm(TrackedBatchNorm):
    """nn.BatchNorm1d, 2d or 3d over each group of videos: view-major ``[V * videos, C, ...]`` to the same shape.

    The running statistics move towards the mean of the groups' means and unbiased variances, over the groups of the
    global batch (and over views, if each has its own groups). They move once each time a rank's whole share has passed,
    however many views passed with it; the windows of a share add up. So with V separate views they are the mean of what
    V nn.BatchNorm would track that see one view each. If groups are within a rank it tracks those of its own rank, and
    `raysl.models.batch_norm.average_statistics` averages over ranks. In eval mode it is nn.BatchNorm.

    Attributes:
        grouping: shared by all batch norms of a network, so that one window holds for all.
    """

    grouping: Grouping
    _passed: int
    _sums: tuple[Tensor, Tensor] | None

    @classmethod
    def grouped(cls, norm: _BatchNorm, grouping: Grouping) -> GroupedBatchNorm:
        """`of`, with groups."""
        result = cls.of(norm)
        result.grouping, result._passed, result._sums = grouping, 0, None
        return result

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        if not self.training:
            if self.running_mean is not None:
                return self._evaluated(input)
            return F.batch_norm(input, None, None, self.weight, self.bias, True, 0.0, self.eps)
        parts = self.grouping.parts(input)
        outputs = self._within_rank(parts) if self.grouping.is_local else self._across_ranks(parts)
        return self.grouping.joined(outputs)

    def _within_rank(self, parts: list[Tensor]) -> list[Tensor]:
        if parts[0].numel() <= self.num_features:
            raise ConfigError(
                f"batch_norm_group {self.grouping.group}: a batch norm gets {list(parts[0].shape)} for each group, one "
                "value per channel, which has no variance; use a larger batch_norm_group"
            )
        if not self._tracks:
            return [F.batch_norm(part, None, None, self.weight, self.bias, True, 0.0, self.eps) for part in parts]
        # With momentum 1 the kernel leaves a group's own mean and unbiased variance in the buffers.
        assert self.running_mean is not None
        measured = self.running_mean.new_zeros(len(parts), 2, self.num_features)
        outputs = [
            F.batch_norm(part, mean, variance, self.weight, self.bias, True, 1.0, self.eps)
            for part, (mean, variance) in zip(parts, measured, strict=True)
        ]
        self._track_window(*measured.mean(dim=0))
        return outputs

    def _across_ranks(self, parts: list[Tensor]) -> list[Tensor]:
        grouping = self.grouping
        views = len(parts) // len(grouping.lengths())  # 1 where views share statistics
        every = tuple(
            tuple(view * grouping.groups + g for view in range(views) for g, _ in grouping.segments(rank))
            for rank in range(grouping.world_size)
        )
        where = RankParts(every[grouping.rank], every, views * grouping.groups)
        statistics = group_statistics(parts, where)
        if self._tracks:
            self._track(statistics.mean.mean(dim=0), statistics.unbiased_variance.mean(dim=0))
        return list(normalise(parts, where, statistics, self.weight, self.bias, self.eps))

    def _track_window(self, mean: Tensor, unbiased_variance: Tensor) -> None:
        """`_track`, once all windows of the share have passed, in order."""
        grouping = self.grouping
        if grouping.first == 0:
            self._passed, self._sums = 0, None
        if grouping.first != self._passed:
            raise ValueError(f"videos from {grouping.first} on pass a batch norm that has seen {self._passed} of them")
        share = grouping.videos / grouping.share
        before = self._sums if self._sums is not None else (torch.zeros_like(mean), torch.zeros_like(mean))
        sums = before[0] + share * mean, before[1] + share * unbiased_variance
        self._passed += grouping.videos
        if self._passed == grouping.share:
            self._passed, self._sums = 0, None
            self._track(*sums)
        else:
            self._sums = sums


def grouping_of(module: nn.Module) -> Grouping | None:
    """The grouping that the batch norms in ``module`` share; None if none has groups."""
    return next((child.grouping for child in module.modules() if isinstance(child, GroupedBatchNorm)), None)
