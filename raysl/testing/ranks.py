"""Runs a function on several gloo ranks, each a process of its own."""

from __future__ import annotations

import multiprocessing
import pickle
import tempfile
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import start_processes

multiprocessing.set_forkserver_preload(
    [
        "torch._dynamo",
        "torchvision.models.video",
        "torchvision.transforms.v2",
        "raysl.work.run_cells",
        "raysl.testing.steps",
    ]
)
"""Ranks are forked from a process that has imported what takes seconds, and does nothing else."""


def _entry(
    rank: int, folder: str, world_size: int, function: Callable[..., Any], args: tuple[Any, ...], finish_together: bool
) -> None:
    torch.set_num_threads(1)
    store = dist.FileStore(f"{folder}/store", world_size)  # type: ignore[attr-defined]
    dist.init_process_group("gloo", store=store, rank=rank, world_size=world_size, timeout=timedelta(seconds=120))
    try:
        result: Any = ("ok", function(rank, *args))
    except Exception:  # noqa: BLE001  (re-raised in the parent)
        result = ("error", traceback.format_exc())
    Path(folder, f"result-{rank}").write_bytes(pickle.dumps(result))
    if result[0] == "ok" and finish_together:
        dist.barrier()
    if dist.is_initialized():
        dist.destroy_process_group()


def run_ranks(function: Callable[..., Any], world_size: int, *args: Any, finish_together: bool = True) -> list[Any]:
    """``[function(rank, *args) for rank in range(world_size)]``, each in a process of one gloo group.

    ``function`` must be importable (module level). A rank's exception is raised here with its traceback.

    Args:
        finish_together: False where a rank's group may be closed when its function returns.
    """
    with tempfile.TemporaryDirectory() as folder:
        given = (folder, world_size, function, args, finish_together)
        processes = start_processes(_entry, given, nprocs=world_size, join=False, start_method="forkserver")  # type: ignore[no-untyped-call]
        while processes is not None and not processes.join():
            pass
        results = [pickle.loads(Path(folder, f"result-{rank}").read_bytes()) for rank in range(world_size)]
    for rank, (status, value) in enumerate(results):
        if status == "error":
            raise AssertionError(f"rank {rank} failed:\n{value}")
    return [value for _, value in results]
