"""A checkpoint: all that a run needs to resume as if it had never stopped, the global random states among it."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import torch

from raysl.distributed import broadcast_object, on_every_rank, rank
from raysl.errors import StorageError
from raysl.results import CellFolder
from raysl.streams import stream
from raysl.training.monitored import last_measured

FORMAT = 2
READ = (1, 2)
"""Formats that are read: the first one has the whole curves."""


@dataclass(frozen=True)
class Checkpoint:
    """Plain data and tensors.

    Attributes:
        cell: id of the configuration; a checkpoint of another one is refused.
        step: optimisation steps done.
        precision: as resolved when the run began; kept on whatever machine it resumes.
        model: the objective's state, heads and buffers included, under the names of the unwrapped module.
        optimizer: the optimizer's state.
        schedule: the schedule's state; empty if it depends on the step only.
        random: per rank, the global random states.
        attempt: name of the attempt that saved it, whose curves up to its step belong to it.
        logged: how many rows these are.
        last: the last of them; empty where there is none.
        monitored: the last row with a measurement of the monitor; empty where there is none.
        curves: of a checkpoint of the first format: column to values, one row per logged step so far.
        unreadable: paths that failed while training.
        attempts: one entry per attempt so far, with its hardware.
        seconds: wall time of all attempts.
        measured_seconds, measured_clips: for the speed, warm-up excluded.
    """

    cell: str
    step: int
    precision: str
    model: dict[str, Any]
    optimizer: dict[str, Any] = field(default_factory=dict)
    schedule: dict[str, Any] = field(default_factory=dict)
    random: list[dict[str, Any]] = field(default_factory=list)
    attempt: str = ""
    logged: int = 0
    last: dict[str, float] = field(default_factory=dict)
    monitored: dict[str, float] = field(default_factory=dict)
    curves: dict[str, list[float]] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    attempts: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    measured_seconds: float = 0.0
    measured_clips: int = 0

    def to_bytes(self) -> bytes:
        buffer = io.BytesIO()
        content = {item.name: getattr(self, item.name) for item in fields(self)}
        torch.save({"format": FORMAT, **content}, buffer)
        return buffer.getvalue()


def read_checkpoint(data: bytes, cell_id: str) -> Checkpoint:
    """The checkpoint in ``data``, on the CPU.

    Raises:
        StorageError: it is of another configuration, or of a format that this version does not read.
    """
    content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    version = content.pop("format", None) if isinstance(content, dict) else None
    if version not in READ:
        raise StorageError(
            f"the checkpoint of cell {cell_id} has a format that this version of raysl does not read: "
            "finish the cell with the version that began it, or remove its folder"
        )
    if version == 1:
        content["monitored"] = last_measured(content["curves"])
    checkpoint = Checkpoint(**content)
    if checkpoint.cell != cell_id:
        raise StorageError(
            f"the folder of cell {cell_id} holds a checkpoint of cell {checkpoint.cell}: a changed configuration is "
            "another cell, never a resume; remove the folder, or put the right one back"
        )
    return checkpoint


def newest_checkpoint(folder: CellFolder, cell_id: str) -> Checkpoint | None:
    """The newest checkpoint in the folder: rank 0 reads, every rank gets the same. Collective."""
    found = on_every_rank(lambda: folder.latest_checkpoint() if rank() == 0 else None)
    data = broadcast_object(None if found is None else found[1])
    return None if data is None else read_checkpoint(data, cell_id)


def seed_rank(seed: int, rank: int) -> None:
    """Seeds the global generators of this rank (dropout and the like; data and weights have separate streams)."""
    values = stream(seed, "training", rank).integers(0, 2**31 - 1, size=3)
    random.seed(int(values[0]))
    np.random.seed(int(values[1]))
    torch.manual_seed(int(values[2]))


def random_state(device: torch.device) -> dict[str, Any]:
    """Python's, NumPy's and PyTorch's states, as data that `torch.load` reads without running code."""
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        "python": random.getstate(),
        "numpy": (str(name), torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, cached),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }


def restore_random_state(state: dict[str, Any], device: torch.device) -> None:
    """Sets the states that `random_state` returned."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None and device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)
