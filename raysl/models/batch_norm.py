"""Batch norm over the global batch, on any device and number of workers.

With one worker nn.BatchNorm already does it; on CUDA nn.SyncBatchNorm does. PyTorch's SyncBatchNorm refuses CPU
tensors, so `GlobalBatchNorm` serves there. All keep nn.BatchNorm's state, so checkpoints move between numbers of
workers.

Shapes: N samples of this rank, C channels.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from raysl.distributed import all_gather, all_reduce_sum, world_size

ModuleType = TypeVar("ModuleType", bound=nn.Module)


def convert_batch_norm(module: ModuleType) -> ModuleType:
    """Makes every batch norm in ``module`` take its statistics over the batch of all ranks; call it before DDP.

    Parameters and statistics are kept and so are the keys of the state. With one rank nothing changes. The module must
    be on its device already: nn.SyncBatchNorm is used on CUDA, `GlobalBatchNorm` elsewhere.

    Returns:
        ``module`` with its batch norms replaced in place, or the replacement where it is a batch norm itself.
    """
    if world_size() == 1:
        return module
    first = next(module.parameters(), None)
    if first is not None and first.is_cuda:
        return cast(ModuleType, nn.SyncBatchNorm.convert_sync_batchnorm(module))  # type: ignore[no-untyped-call]
    return cast(ModuleType, _replaced(module))


def _replaced(module: nn.Module) -> nn.Module:
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
        return GlobalBatchNorm.of(module)
    for name, child in module.named_children():
        setattr(module, name, _replaced(child))
    return module


class GlobalBatchNorm(_BatchNorm):
    """nn.BatchNorm1d, 2d or 3d whose statistics are over the batch of all ranks: ``[N, C, ...]`` to the same shape.

    The running variance is the unbiased one of the global batch. Under bfloat16 autocast statistics are float32, as in
    nn.BatchNorm; in eval mode it is nn.BatchNorm. Ranks may hold different numbers of samples.
    """

    @classmethod
    def of(cls, norm: _BatchNorm) -> GlobalBatchNorm:
        """With the parameters and buffers of ``norm`` (the same tensors)."""
        result = cls(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        result.weight, result.bias = norm.weight, norm.bias
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            setattr(result, name, getattr(norm, name))
        return result.train(norm.training)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2 or input.shape[1] != self.num_features:
            raise ValueError(f"batch norm expects [N, {self.num_features}, ...], got {list(input.shape)}")

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        if not self.training and self.running_mean is not None:
            tracked = (self.running_mean, self.running_var)
            return F.batch_norm(input, *tracked, self.weight, self.bias, False, 0.0, self.eps)
        mean, variance, count = _global_statistics(input)
        if count < 2:
            raise ValueError(f"batch norm needs more than 1 value per channel when training, got {list(input.shape)}")
        if self.training and self.running_mean is not None:
            self._track(mean, variance * (count / (count - 1)))
        result: Tensor = _Normalise.apply(input, self.weight, self.bias, mean, variance, count, self.eps)
        return result

    def _track(self, mean: Tensor, unbiased_variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        # nn.BatchNorm: without a momentum the running statistics are the average of all batches.
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(unbiased_variance.to(self.running_var.dtype), share)


@torch.no_grad()
def _global_statistics(input: Tensor) -> tuple[Tensor, Tensor, float]:
    """Mean ``[C]``, biased variance ``[C]`` and values per channel over all ranks, float32 or better."""
    dtype = torch.promote_types(input.dtype, torch.float32)
    count = input.numel() // input.shape[1]
    unused = input.new_zeros(input.shape[1], dtype=dtype)
    # In channels_last ATen's kernel is ten times faster than var_mean; float32 buffers make it accumulate in float32.
    mean, variance = torch.batch_norm_update_stats(input, unused, unused.clone(), 0.0)
    local = torch.cat([mean.to(dtype), variance.to(dtype), mean.new_full((1,), count, dtype=dtype)])
    gathered = all_gather(local[None])
    means, variances, counts = gathered[:, : len(mean)], gathered[:, len(mean) : -1], gathered[:, -1:]
    # Chan et al. 1979: combining means and variances avoids the cancellation of E[x^2] - E[x]^2.
    total = counts.sum()
    global_mean = (means * counts).sum(dim=0) / total
    spread = variances + (means - global_mean).square()
    return global_mean, (spread * counts).sum(dim=0) / total, float(total)


class _Normalise(torch.autograd.Function):
    """``(x - mean) / sqrt(variance + eps) * weight + bias``, differentiated through mean and variance of all ranks."""

    @staticmethod
    def forward(
        ctx: Any,
        input: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        mean: Tensor,
        variance: Tensor,
        count: float,
        eps: float,
    ) -> Tensor:
        ctx.save_for_backward(input, weight, mean, variance)
        ctx.count, ctx.eps, ctx.has_bias = count, eps, bias is not None
        return F.batch_norm(input, mean, variance, weight, bias, False, 0.0, eps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        input, weight, mean, variance = ctx.saved_tensors
        # ATen's inference backward gives dy * scale, and the local sums of dy * (x - mean) / std and of dy.
        unit = weight if weight is not None else torch.ones_like(mean)
        gradient, weight_gradient, bias_gradient = torch.ops.aten.native_batch_norm_backward(
            gradients[0].to(input.dtype), input, unit, mean, variance, None, None, False, ctx.eps, [True, True, True]
        )
        if ctx.needs_input_grad[0]:
            sums = all_reduce_sum(torch.stack([weight_gradient, bias_gradient])) / ctx.count
            inverse_std = torch.rsqrt(variance + ctx.eps)
            # Through the statistics: -scale * (mean(dy) + x_hat * mean(dy * x_hat)), which is slope * x + offset.
            scale = unit * inverse_std
            slope = -scale * inverse_std * sums[0]
            offset = -scale * sums[1] - slope * mean
            shape = [1, -1] + [1] * (input.ndim - 2)
            gradient.add_(torch.addcmul(offset.view(shape), input, slope.view(shape)))
        return (
            gradient if ctx.needs_input_grad[0] else None,
            weight_gradient if weight is not None and ctx.needs_input_grad[1] else None,
            bias_gradient if ctx.has_bias and ctx.needs_input_grad[2] else None,
            *(None,) * 4,
        )
