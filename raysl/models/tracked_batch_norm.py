"""What batch norms with statistics of their own have in common: nn.BatchNorm's state, evaluation and tracking."""

from __future__ import annotations

from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm


class TrackedBatchNorm(_BatchNorm):
    """Base of batch norms for ``[N, C, ...]`` of any rank; where it does not train it is nn.BatchNorm."""

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
