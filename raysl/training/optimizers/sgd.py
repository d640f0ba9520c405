"""Stochastic gradient descent with momentum; weight decay is added to the gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import model_validator

from raysl.config.component import Component
from raysl.config.options import NO_UNIT, Options, option
from raysl.config.sections import LearningRate

if TYPE_CHECKING:
    import torch
    from torch import nn


class SGDOptions(Options):
    """Options of SGD."""

    learning_rate: LearningRate = option(doc="base rate, and the batch it belongs to", source="per recipe")
    momentum: float = option(
        0.9, doc="share of the last step that is kept", unit="share", source="printed: CVRL; code: CSTP", ge=0, lt=1
    )
    nesterov: bool = option(False, doc="Nesterov's momentum", source="code: CVRL")
    weight_decay: float = option(
        1e-6, doc="factor of the weights added to the gradient", unit=NO_UNIT, source="code: CVRL", ge=0, le=10
    )
    decay_norm_and_bias: bool = option(
        False, doc="whether weight decay applies to biases and the parameters of norms", source="code: CVRL"
    )

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> SGDOptions:
        if self.nesterov and self.momentum == 0:
            raise ValueError("optimizer.nesterov needs optimizer.momentum greater than 0")
        return self


def _build(options: SGDOptions, module: nn.Module, learning_rate: float) -> torch.optim.SGD:
    """``learning_rate`` is the rate used, ``options.learning_rate.at(batch_size)``."""
    import torch

    from raysl.training.parameter_groups import fused_on, parameter_groups

    groups = parameter_groups(module, options.weight_decay, options.decay_norm_and_bias)
    momentum, nesterov = options.momentum, options.nesterov
    return torch.optim.SGD(groups, lr=learning_rate, momentum=momentum, nesterov=nesterov, fused=fused_on(groups))


COMPONENT = Component(kind="optimizer", options=SGDOptions, build=_build)
