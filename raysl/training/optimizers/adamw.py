"""AdamW: Adam with decoupled weight decay (Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raysl.config.component import Component
from raysl.config.options import NO_UNIT, Options, option
from raysl.config.sections import LearningRate

if TYPE_CHECKING:
    import torch
    from torch import nn


class AdamWOptions(Options):
    """Options of AdamW."""

    learning_rate: LearningRate = option(doc="base rate, and the batch it belongs to", source="per recipe")
    weight_decay: float = option(
        0.01, doc="decoupled weight decay", unit=NO_UNIT, source="code: torch.optim.AdamW", ge=0, le=10
    )
    beta1: float = option(
        0.9, doc="decay of the gradient's average", unit=NO_UNIT, source="printed: Kingma and Ba 2015", ge=0, lt=1
    )
    beta2: float = option(
        0.999, doc="decay of its square's average", unit=NO_UNIT, source="printed: Kingma and Ba 2015", ge=0, lt=1
    )
    epsilon: float = option(
        1e-8, doc="added to the denominator", unit=NO_UNIT, source="printed: Kingma and Ba 2015", gt=0, le=1
    )
    decay_norm_and_bias: bool = option(
        False, doc="whether weight decay applies to biases and the parameters of norms", source="code: CVRL"
    )


def _build(options: AdamWOptions, module: nn.Module, learning_rate: float) -> torch.optim.AdamW:
    """``learning_rate`` is the rate used, ``options.learning_rate.at(batch_size)``."""
    import torch

    from raysl.training.parameter_groups import fused_on, parameter_groups

    groups = parameter_groups(module, options.weight_decay, options.decay_norm_and_bias)
    betas = (options.beta1, options.beta2)
    return torch.optim.AdamW(groups, lr=learning_rate, betas=betas, eps=options.epsilon, fused=fused_on(groups))


COMPONENT = Component(kind="optimizer", options=AdamWOptions, build=_build)
