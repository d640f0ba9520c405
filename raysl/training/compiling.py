"""The backbone through `torch.compile`, for the steps of training; evaluations use the backbone itself."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from raysl.errors import NodeFault
from raysl.models.backbone import Backbone


def compiled(backbone: Backbone, device: torch.device) -> Callable[[Tensor], Tensor]:
    """``backbone(clips)``, compiled by the first call, which takes tens of seconds.

    The parameters are the backbone's own, and the same numbers come out up to rounding.

    Raises:
        NodeFault: by the first call: this machine cannot compile.
    """
    from torch._dynamo.exc import TorchDynamoException  # takes a second, which only this option pays

    through = torch.compile(backbone)
    needed = "a GPU of compute capability 7.0 with triton" if device.type == "cuda" else "a C++ compiler (g++, or $CXX)"

    def passed(clips: Tensor) -> Tensor:
        try:
            features: Tensor = through(clips)
        except TorchDynamoException as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise NodeFault(
                f"training.compile: the backbone cannot be compiled on this machine, which needs {needed} ({reason}): "
                "install it, or set training.compile to false (the same cell)"
            ) from error
        return features

    return passed
