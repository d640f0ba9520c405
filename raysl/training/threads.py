"""How many CPUs this rank may use, and PyTorch's threads on them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from raysl.config.cell import CellConfig
from raysl.distributed import launcher_number


def cpus_of_rank() -> int:
    """CPUs of this rank: its share of those that the process may run on, or what Ray sets as ``OMP_NUM_THREADS``.

    torchrun sets ``OMP_NUM_THREADS=1`` whatever the machine, so it is ignored there.
    """
    share = max(1, len(os.sched_getaffinity(0)) // launcher_number("LOCAL_WORLD_SIZE"))
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isascii() and given.isdigit() and int(given) > 0 and "TORCHELASTIC_RUN_ID" not in os.environ:
        return min(share, int(given))
    return share


def free_cpus() -> int:
    """CPUs of this machine that were idle in the last minute, or this rank's if they are more."""
    return max(cpus_of_rank(), int(len(os.sched_getaffinity(0)) - os.getloadavg()[0]))


@contextmanager
def cpu_threads(cell: CellConfig) -> Iterator[int]:
    """Sets PyTorch's threads to ``training.threads``, or to this rank's CPUs, and puts them back afterwards."""
    before = torch.get_num_threads()
    threads = cell.training.threads or cpus_of_rank()
    torch.set_num_threads(threads)
    try:
        yield threads
    finally:
        torch.set_num_threads(before)
