"""Shuffled batch norm: a network sees a permutation of the global batch. MoCo 3.3, https://arxiv.org/abs/1911.05722.

Batch norm over parts of the batch lets a query recognise its key by the statistics that both were normalised with.
Computed among other videos, the key does not carry them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from raysl.distributed import all_gather, rank
from raysl.streams import Key, stream


@torch.no_grad()
def shuffled(network: Callable[[Tensor], Tensor], clips: Tensor, *key: Key) -> Tensor:
    """``network`` of this rank's ``clips``, ``[B, ...]`` to ``[B, d]``, computed in a permuted batch. Collective.

    Args:
        network: row by row but for its batch norm.
        clips: ``[B, ...]``, the same B on every rank.
        key: of the stream that draws the permutation of the global batch: the same on every rank.
    """
    everything = all_gather(clips.contiguous())
    order = torch.from_numpy(stream(*key).permutation(len(everything))).to(clips.device)
    mine = slice(rank() * len(clips), (rank() + 1) * len(clips))
    permuted = everything[order[mine]]
    if clips.ndim == 5:
        permuted = permuted.contiguous(memory_format=torch.channels_last_3d)
    del everything
    return all_gather(network(permuted))[order.argsort()[mine]]
