"""Precision and device of the forward pass, the same on every rank, and where clips get their colours."""

from __future__ import annotations

import os
from typing import Literal

import torch

from raysl.distributed import gather_objects
from raysl.errors import ConfigError
from raysl.training.memory import keep_to_share

Precision = Literal["float32", "bfloat16"]


def choose_device(device: torch.device | str | None = None) -> torch.device:
    """``device``, or this process's GPU (by ``LOCAL_RANK``), or the CPU.

    A GPU is made current, this process is held to its share of it (`raysl.training.memory.keep_to_share`), and PyTorch
    is set to deterministic algorithms for the whole process; it warns about an operation without one. On an H100
    convolutions are not slower with them (reports/gpu); other operations were not measured.
    """
    if device is None:
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if torch.cuda.is_available() else "cpu"
    chosen = torch.device(device)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
        keep_to_share(chosen)
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when the first matrix product begins
        torch.backends.cudnn.benchmark = False
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return chosen


def colors_on_device(asked: Literal["auto", "loader", "device"], device: torch.device) -> bool:
    """Whether batches get their colours where they are trained on, and not in the loader."""
    return device.type == "cuda" if asked == "auto" else asked == "device"


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is correct and faster than float32: CUDA from sm80 on, CPUs with AMX.

    On a CPU with AVX512 and no AMX the weight gradients of padded 3x3x3 convolutions over two frames are read, in
    bfloat16, from memory that nothing wrote (torch 2.15.0 with its oneDNN, AMD Zen 4: wrong, at times infinite).
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return torch.cpu._is_amx_tile_supported()


def multiplies_bfloat16_wrongly(device: torch.device) -> bool:
    """True on a CPU with AVX512 and no AMX, see `multiplies_bfloat16`; with only AVX2 PyTorch emulates it correctly."""
    return device.type == "cpu" and torch.cpu._is_avx512_supported() and not torch.cpu._is_amx_tile_supported()


def resolve_precision(asked: Literal["float32", "bfloat16", "auto"], device: torch.device) -> Precision:
    """``auto`` becomes bfloat16 if every rank's device multiplies it natively; collective.

    Raises:
        ConfigError: on every rank: bfloat16 on a CPU whose convolutions give wrong gradients in it.
    """
    if asked == "float32":
        return asked
    native = all(gather_objects(multiplies_bfloat16(device)))
    if asked == "auto":
        return "bfloat16" if native else "float32"
    if any(gather_objects(multiplies_bfloat16_wrongly(device))):
        raise ConfigError(
            "training.precision bfloat16: on this CPU (AVX512 without AMX) PyTorch's convolutions give wrong gradients "
            "in bfloat16; set training.precision to float32 or auto"
        )
    return "bfloat16"


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """The context of a forward pass."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
