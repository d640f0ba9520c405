"""LARS: every tensor's step is proportional to the size of its weights (You et al. 2017, arXiv:1708.03888).

With the gradient g of a loss, weight decay d, momentum m and rate r, a step changes the weights w to w - v, where

    v <- m v + r * trust * (g + d w),    trust = coefficient * |w| / |g + d w|.

The paper's Algorithm 1 divides by |g| + d |w|; SimCLR's code, which is followed here, by the norm of the sum. A tensor
of zeros, or one without gradient, has a trust of 1 (code: SimCLR). Biases and the parameters of norms have no decay and
a trust of 1 (code: SimCLR, VISSL).
"""

from __future__ import annotations

from raysl.config.component import Component, later
from raysl.config.options import NO_UNIT, Options, option
from raysl.config.sections import LearningRate


class LARSOptions(Options):
    """Options of LARS."""

    learning_rate: LearningRate = option(doc="base rate, and the batch it belongs to", source="per recipe")
    momentum: float = option(
        0.9, doc="share of the last step that is kept", unit="share", source="printed: You et al. 2017", ge=0, lt=1
    )
    weight_decay: float = option(
        1e-6, doc="factor of the weights added to the gradient", unit=NO_UNIT, source="printed: SimCLR 2.2", ge=0, le=10
    )
    trust_coefficient: float = option(
        0.001,
        doc="a step's length by that of the weights, at rate 1",
        unit=NO_UNIT,
        source="printed: You et al. 2017; code: SimCLR",
        gt=0,
        le=1,
    )
    decay_norm_and_bias: bool = option(
        False,
        doc="whether weight decay and the trust ratio apply to biases and the parameters of norms",
        source="code: SimCLR",
    )


COMPONENT = Component(
    kind="optimizer", options=LARSOptions, build=later("raysl.training.optimizers.lars_optimizer", "build")
)
