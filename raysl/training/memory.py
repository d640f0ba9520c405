"""Memory of the device: its peaks, a process's share of a card, and what to do where there is too little."""

from __future__ import annotations

import os
import re
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from raysl.config.cell import CellConfig
from raysl.distributed import world_size
from raysl.errors import NodeFault

MEMORY = "memory/"
"""Prefix of the columns of curves that only a GPU gives."""
PEAK = MEMORY + "peak_gib"

GPU_SHARE = "RAYSL_GPU_SHARE"
"""Variable with this process's share of its GPU, where several processes use one (`--gpus-per-worker` below 1)."""
CONTEXT_BYTES = 0.6 * 2**30
"""What CUDA itself takes in each process, in no tensor (0.5 GiB on an H100, with cuDNN's workspaces more)."""


def reset_peak(device: torch.device) -> None:
    """Peaks count from here. Linux keeps the peak of the process's memory until it is reset."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif sys.platform == "linux":
        with suppress(OSError):  # not allowed in some sandboxes: the peak is then that of the process so far
            Path("/proc/self/clear_refs").write_text("5")


def peak_mb(device: torch.device) -> float:
    """MiB of the GPU's tensors at most since `reset_peak`; of this process where there is no GPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    if sys.platform == "linux":
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return float(line.split()[1]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def peak_columns(device: torch.device) -> dict[str, float]:
    """The peak of the GPU's tensors since the last call, GiB, as a column of the curves.

    Empty on the CPU, where a process's memory is mostly caches and what earlier cells left.
    """
    if device.type != "cuda":
        return {}
    peak = peak_mb(device) / 2**10
    reset_peak(device)
    return {PEAK: peak}


def keep_to_share(device: torch.device) -> None:
    """Holds this process to its share of the GPU, so that one that takes more fails, and not those beside it."""
    share = float(os.environ.get(GPU_SHARE) or 1.0)
    if share >= 1:
        return
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(max(0.01, share - CONTEXT_BYTES / total), device)


@contextmanager
def naming_remedies(what: str, cell: CellConfig, *, trains: bool = True) -> Iterator[None]:
    """An error of the device that has too little memory becomes a fault that says what to do.

    Args:
        what: is done, as ``training``.
        cell: that it is done for.
        trains: whether the batch of training decides how much memory is needed.

    Raises:
        NodeFault: instead of `torch.OutOfMemoryError`.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        hints = "; or ".join(remedies(cell, trains=trains))
        raise NodeFault(f"{what}: out of memory: {_asked(str(error))}: {hints}", may_pass=True) from error


def remedies(cell: CellConfig, *, trains: bool) -> list[str]:
    """What lowers the memory that a cell needs on each card, first what leaves it the same cell."""
    training, hints = cell.training, list[str]()
    share = training.batch_size // world_size()
    if trains:
        chunk = next_chunk(cell)
        if chunk is not None:
            hints.append(f"set training.chunk to {chunk} (the same cell; the backbone passes forward twice)")
        if share > 1 and share % 2 == 0:
            hints.append(f"set training.workers to {2 * world_size()} (the same cell, on as many GPUs)")
    of_card = float(os.environ.get(GPU_SHARE) or 1.0)
    if of_card < 1:
        hints.append(f"give a worker more than {of_card:g} of a GPU (--gpus-per-worker)")
    if training.precision == "float32":
        hints.append("set training.precision to auto, which is bfloat16 on a GPU (another cell)")
    if trains and chunk is None:
        hints.append("lower training.batch_size, or set a batch_norm_group below it with training.chunk (another cell)")
    if not trains:
        hints.append("lower the evaluation's clips of a video (another evaluation)")
    return hints


def next_chunk(cell: CellConfig) -> int | None:
    """The largest ``training.chunk`` that halves what passes the network at once; None if none fits the cell."""
    group, share = cell.batch_norm_group, cell.training.batch_size // world_size()
    now = cell.training.chunk_in_use or share
    if group == "batch":
        return None
    return next((one for one in range(now // 2, 0, -1) if share % one == 0 and one % group == 0), None)


_ASKED = re.compile(r"Tried to allocate (?P<asked>[\d.]+ \w+)")
_CARD = re.compile(r"total capacity of (?P<total>[\d.]+ \w+) of which (?P<free>[\d.]+ \w+) is free")
_ALLOWED = re.compile(r"(?P<allowed>[\d.]+ \w+) allowed")


def _asked(message: str) -> str:
    """What PyTorch says of the request and of the card; its first sentence if it says it in another way."""
    asked, card, allowed = (pattern.search(message) for pattern in (_ASKED, _CARD, _ALLOWED))
    if asked is None or card is None:
        return message.strip().split(". ")[0].rstrip(".")
    limit = "" if allowed is None else f", {allowed['allowed']} of them for this process"
    return f"{asked['asked']} more were asked of a GPU with {card['total']}{limit}, {card['free']} free"
