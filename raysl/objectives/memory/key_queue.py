"""MoCo's queue: the keys of past batches, oldest replaced first. He et al. 2020, https://arxiv.org/abs/1911.05722.

Shapes: d embedding, K keys.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from raysl.distributed import all_gather


class KeyQueue(nn.Module):
    """``columns`` ``[d, K]`` of length 1, random at start, and ``pointer``, the column that is replaced next.

    Drawn from torch's global generator. Every rank holds and writes the same.

    Args:
        embedding_dim: d.
        size: K.
    """

    columns: Tensor
    pointer: Tensor

    def __init__(self, embedding_dim: int, size: int) -> None:
        super().__init__()
        self.register_buffer("columns", F.normalize(torch.randn(embedding_dim, size), dim=0))
        self.register_buffer("pointer", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def enqueue(self, keys: Tensor) -> None:
        """Puts the keys of all ranks in place of the oldest, in the order of the global batch. Collective.

        Args:
            keys: ``[V, B, d]`` of length 1: of V views of this rank's B videos; at most K over all ranks. The first
                view's come first.
        """
        gathered = all_gather(keys.transpose(0, 1)).transpose(0, 1).flatten(0, 1)
        size = self.columns.shape[1]
        if len(gathered) > size:
            raise ValueError(f"{len(gathered)} keys do not fit a queue of {size}")
        places = (self.pointer + torch.arange(len(gathered), device=gathered.device)) % size
        self.columns[:, places] = gathered.T.to(self.columns.dtype)
        self.pointer.copy_((self.pointer + len(gathered)) % size)
