"""The optimizer `lars`; its options and sources stand in `raysl.training.optimizers.lars`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from raysl.training.optimizers.lars import LARSOptions
from raysl.training.parameter_groups import parameter_groups


class LARS(torch.optim.Optimizer):
    """The optimizer of this module.

    Args:
        groups: each with ``params``, ``weight_decay`` and ``adapt`` (whether the trust ratio applies).
        lr: rate of all groups.
    """

    def __init__(self, groups: list[dict[str, Any]], lr: float, momentum: float, trust_coefficient: float) -> None:
        super().__init__(groups, {"lr": lr, "momentum": momentum, "trust_coefficient": trust_coefficient})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step; ``closure`` is not supported."""
        if closure is not None:
            raise ValueError("LARS takes no closure")
        for group in self.param_groups:
            self._update([parameter for parameter in group["params"] if parameter.grad is not None], group)

    def _update(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """All tensors of a group at once: on a GPU a few kernels, and not seven for each tensor."""
        if not parameters:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        directions = torch._foreach_add(gradients, parameters, alpha=group["weight_decay"])
        if group["adapt"]:
            directions = torch._foreach_mul(
                directions, trust_ratios(parameters, directions, group["trust_coefficient"])
            )
        for parameter in parameters:
            if "momentum_buffer" not in self.state[parameter]:
                self.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        kept = [self.state[parameter]["momentum_buffer"] for parameter in parameters]
        torch._foreach_mul_(kept, group["momentum"])
        torch._foreach_add_(kept, directions, alpha=group["lr"])
        torch._foreach_sub_(parameters, kept)


def trust_ratios(weights: Sequence[Tensor], directions: Sequence[Tensor], coefficient: float) -> list[Tensor]:
    """``coefficient * |weights| / |direction|`` of each tensor, scalars; 1 where either norm is zero."""
    norms, lengths = (torch.stack(torch._foreach_norm(list(tensors))) for tensors in (weights, directions))
    ratios = coefficient * norms / lengths
    return list(torch.where((norms > 0) & (lengths > 0), ratios, torch.ones_like(ratios)).unbind())


def build(options: LARSOptions, module: nn.Module, learning_rate: float) -> LARS:
    """``learning_rate`` is the rate used, ``options.learning_rate.at(batch_size)``."""
    # Grouped with a decay of 1, so that a decay of 0 still separates weights from biases and norms.
    groups = parameter_groups(module, 1.0, options.decay_norm_and_bias)
    for group in groups:
        group["adapt"] = group["weight_decay"] > 0
        group["weight_decay"] *= options.weight_decay
    return LARS(groups, learning_rate, options.momentum, options.trust_coefficient)
