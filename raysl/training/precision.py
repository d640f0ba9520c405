"""Which arithmetic the forward pass runs in, on which device, the same on every rank."""

from __future__ import annotations

import os
from typing import Literal

import torch

from raysl.distributed import gather_objects

Precision = Literal["float32", "bfloat16"]


def choose_device(device: torch.device | str | None = None) -> torch.device:
    """The device given, or this process's GPU (by ``LOCAL_RANK``), or the CPU; made current where it is a GPU."""
    if device is None:
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if torch.cuda.is_available() else "cpu"
    chosen = torch.device(device)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    return chosen


def multiplies_bfloat16(device: torch.device) -> bool:
    """True where bfloat16 is faster than float32: CUDA from sm80 on, CPUs with AMX or AVX512-BF16.

    Elsewhere PyTorch emulates it: right, and slower than float32.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def resolve_precision(asked: Literal["float32", "bfloat16", "auto"], device: torch.device) -> Precision:
    """``auto`` becomes bfloat16 where every rank's device multiplies it natively; collective."""
    if asked != "auto":
        return asked
    native = all(gather_objects(multiplies_bfloat16(device)))
    return "bfloat16" if native else "float32"


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """The context of a forward pass."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
