"""Which parameters weight decay applies to."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm)


def parameter_groups(module: nn.Module, weight_decay: float, decay_norm_and_bias: bool) -> list[dict[str, Any]]:
    """The trainable parameters of ``module`` as an optimizer's groups, in the order of its modules.

    Args:
        module: what is trained.
        weight_decay: of the decayed parameters.
        decay_norm_and_bias: False leaves biases and the parameters of norms out of weight decay.

    Returns:
        At most two groups, none of them empty: the decayed parameters, then those that are not.

    Raises:
        ValueError: nothing in ``module`` is trainable.
    """
    groups: dict[float, list[nn.Parameter]] = {}
    seen: set[int] = set()
    for child in module.modules():
        for name, parameter in child.named_parameters(recurse=False):
            if not parameter.requires_grad or id(parameter) in seen:
                continue
            seen.add(id(parameter))
            decayed = decay_norm_and_bias or not (isinstance(child, NORMS) or name.endswith("bias"))
            groups.setdefault(weight_decay if decayed else 0.0, []).append(parameter)
    if not groups:
        raise ValueError("the module has no trainable parameter")
    return [{"params": groups[decay], "weight_decay": decay} for decay in sorted(groups, reverse=True)]
