"""The global random states of a rank, as data that `torch.load` reads without running code."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch

from raysl.streams import stream


def seed_rank(seed: int, rank: int) -> None:
    """Seeds the global generators of this rank (dropout and the like; data and weights have streams of their own)."""
    values = stream(seed, "training", rank).integers(0, 2**31 - 1, size=3)
    random.seed(int(values[0]))
    np.random.seed(int(values[1]))
    torch.manual_seed(int(values[2]))


def random_state(device: torch.device) -> dict[str, Any]:
    """Python's, NumPy's and PyTorch's states."""
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        "python": random.getstate(),
        "numpy": (str(name), torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, cached),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }


def restore_random_state(state: dict[str, Any], device: torch.device) -> None:
    """Sets what `random_state` gave."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None and device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)
