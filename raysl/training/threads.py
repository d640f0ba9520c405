"""How many CPUs this rank may use, and PyTorch's threads on them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from raysl.config.cell import CellConfig


def free_cpus() -> int:
    """CPUs of this machine that were idle in the last minute, or this rank's if they are more."""
    from raysl.distributed import cpus_of_rank

    return max(cpus_of_rank(), int(len(os.sched_getaffinity(0)) - os.getloadavg()[0]))


@contextmanager
def cpu_threads(cell: CellConfig) -> Iterator[int]:
    """Sets PyTorch's threads to ``training.threads``, or to this rank's CPUs, and puts them back afterwards."""
    import torch

    from raysl.distributed import cpus_of_rank

    before = torch.get_num_threads()
    threads = cell.training.threads or cpus_of_rank()
    torch.set_num_threads(threads)
    try:
        yield threads
    finally:
        torch.set_num_threads(before)
