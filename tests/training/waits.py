"""Finds, on the CPU, operations for which the host of a GPU waits: they take numbers, or a size, out of tensors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

NUMBERS = {"tolist", "item", "cpu", "numpy", "__bool__", "__float__", "__int__", "__index__"}
SIZES = {"nonzero", "masked_select", "bincount", "unique", "argwhere"}
COPIES = {"tensor", "new_tensor"}
"""Of values of the host: a blocking copy."""


class Waits(TorchFunctionMode):
    """Counts them by name, in its context.

    Args:
        of_host: tensors that stay on the host of a GPU: their numbers are there.
    """

    def __init__(self, of_host: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.found = Counter[str]()
        self._of_host = [tensor.untyped_storage().data_ptr() for tensor in of_host]

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        of_host = bool(args) and isinstance(args[0], Tensor) and args[0].untyped_storage().data_ptr() in self._of_host
        if name in NUMBERS | SIZES | COPIES and not of_host:
            self.found[name] += 1
        if name in ("__getitem__", "__setitem__") and _has_mask(args[1]):
            self.found["a mask as index"] += 1
        return func(*args, **(kwargs or {}))


def _has_mask(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(part, Tensor) and part.dtype == torch.bool for part in parts)
