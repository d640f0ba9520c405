"""Which parameters weight decay applies to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from raysl.training.step_values import HostCopy

NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm)


def parameter_groups(module: nn.Module, weight_decay: float, decay_norm_and_bias: bool) -> list[dict[str, Any]]:
    """The trainable parameters of ``module`` as an optimizer's groups, in the order of its modules.

    Args:
        module: what is trained.
        weight_decay: of the decayed parameters.
        decay_norm_and_bias: False leaves biases and the parameters of norms out of weight decay.

    Returns:
        At most four groups, none of them empty: the decayed parameters, then the others. Parameters of a module with
        ``constant_rate`` (SimSiam's predictor), which the schedule does not change, are separate groups.

    Raises:
        ValueError: nothing in ``module`` is trainable.
    """
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    seen: set[int] = set()
    constant = {
        id(p) for child in module.modules() if getattr(child, "constant_rate", False) for p in child.parameters()
    }
    for child in module.modules():
        for name, parameter in child.named_parameters(recurse=False):
            if not parameter.requires_grad or id(parameter) in seen:
                continue
            seen.add(id(parameter))
            decayed = decay_norm_and_bias or not (isinstance(child, NORMS) or name.endswith("bias"))
            key = (weight_decay if decayed else 0.0, id(parameter) not in constant)
            groups.setdefault(key, []).append(parameter)
    if not groups:
        raise ValueError("the module has no trainable parameter")
    return [
        {"params": groups[key], "weight_decay": key[0], "constant_rate": not key[1]}
        for key in sorted(groups, reverse=True)
    ]


def fused_on(groups: Iterable[Mapping[str, Any]]) -> bool | None:
    """True, one kernel a group, where parameters lie on a GPU; None, PyTorch's own choice, elsewhere.

    On the CPU a fused step would round differently from what earlier cells took.
    """
    return True if all(parameter.is_cuda for group in groups for parameter in group["params"]) else None


class WeightPenalty:
    """What weight decay adds to the loss: the sum over groups of the decay times half the parameters' sum of squares.

    CVRL's regularisation loss (code). AdamW decays weights beside the loss; it is the same sum there. It is of the
    weights at the time of construction; `read` waits for the device.

    Args:
        groups: of `parameter_groups`, or an optimizer's.
    """

    def __init__(self, groups: Iterable[Mapping[str, Any]]) -> None:
        decayed = [group for group in groups if group["weight_decay"]]
        self._decays = [float(group["weight_decay"]) for group in decayed]
        norms = [nn.utils.get_total_norm([p.detach() for p in group["params"]]).double() for group in decayed]
        self._norms = HostCopy(torch.stack(norms)) if norms else None

    def read(self) -> float:
        norms = [] if self._norms is None else self._norms.read()
        return sum(decay / 2 * norm**2 for decay, norm in zip(self._decays, norms, strict=True))


def weight_penalty(groups: Iterable[Mapping[str, Any]]) -> float:
    """The value of a `WeightPenalty`, at once."""
    return WeightPenalty(groups).read()
