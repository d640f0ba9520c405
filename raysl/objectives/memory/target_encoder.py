"""The momentum encoder of MoCo and BYOL: a copy of backbone and projector that follows them slowly.

He et al. 2020 (MoCo), https://arxiv.org/abs/1911.05722, Eq. 2; Grill et al. 2020 (BYOL),
https://arxiv.org/abs/2006.07733, section 3.3 for the cosine schedule of the momentum.

`shuffled` is MoCo's shuffled batch norm (section 3.3): batch norm over parts of the batch lets a query recognise its
key by the statistics that both were normalised with. Computed among other videos, the key does not carry them.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from raysl.distributed import all_gather, rank
from raysl.models.backbone import Backbone, pool
from raysl.models.chunks import in_chunks
from raysl.streams import Key, stream
from raysl.views.batch import on_device

MomentumSchedule = Literal["constant", "cosine"]


class _Encoder(nn.Module):
    def __init__(self, backbone: Backbone, projector: nn.Module) -> None:
        super().__init__()
        self.backbone, self.projector = backbone, projector

    def forward(self, clips: Tensor) -> Tensor:
        embeddings: Tensor = self.projector(pool(self.backbone(clips)))
        return embeddings


class TargetEncoder(nn.Module):
    """``[B, 3, T, H, W]`` clips of one view to ``[B, d]`` embeddings, not normalised, without gradient.

    It stays in train mode: batch norm takes its statistics from the clips at hand, as in both papers' code.

    Args:
        backbone, projector: the online networks with their initial weights; copied.
        chunk: videos that pass the network at once; None: all.
    """

    def __init__(self, backbone: Backbone, projector: nn.Module, chunk: int | None) -> None:
        super().__init__()
        self.encoder = _Encoder(copy.deepcopy(backbone), copy.deepcopy(projector))
        self._chunk = chunk
        self.requires_grad_(False)

    @torch.no_grad()
    def forward(self, clips: Tensor) -> Tensor:
        return in_chunks(self.encoder, clips, self._chunk)

    @torch.no_grad()
    def pooled(self, clips: Tensor) -> Tensor:
        """The features before the projector, ``[B, D]``."""
        return pool(in_chunks(self.encoder.backbone, clips, self._chunk))

    @torch.no_grad()
    def update(self, backbone: Backbone, projector: nn.Module, momentum: float) -> None:
        """``target <- momentum * target + (1 - momentum) * online``, of parameters; batch-norm statistics are its own.

        Args:
            backbone, projector: the online networks as they are now.
            momentum: 0 to 1.
        """
        online = (*backbone.parameters(), *projector.parameters())
        torch._foreach_lerp_(list(self.encoder.parameters()), online, 1 - momentum)


def momentum_at(step: int, total_steps: int, first: float, schedule: MomentumSchedule) -> float:
    """The momentum of the update before step ``step`` (from 0): constant, or by half a cosine from ``first`` to 1.

    ``1 - (1 - first) (cos(pi step / total_steps) + 1) / 2`` (BYOL 3.3).
    """
    if schedule == "constant":
        return first
    return 1 - (1 - first) * (math.cos(math.pi * step / total_steps) + 1) / 2


@torch.no_grad()
def shuffled(network: Callable[[Tensor], Tensor], clips: Tensor, *key: Key) -> Tensor:
    """``network`` of this rank's ``clips``, ``[B, ...]`` to ``[B, d]``, computed in a permuted batch. Collective.

    Args:
        network: independent for each row, except for its batch norm.
        clips: ``[B, ...]``, the same B on every rank.
        key: of the stream that draws the permutation of the global batch: the same on every rank.
    """
    everything = all_gather(clips.contiguous())
    order = on_device(torch.from_numpy(stream(*key).permutation(len(everything))), clips.device)
    mine = slice(rank() * len(clips), (rank() + 1) * len(clips))
    permuted = everything[order[mine]]
    if clips.ndim == 5:
        permuted = permuted.contiguous(memory_format=torch.channels_last_3d)
    del everything
    return all_gather(network(permuted))[order.argsort()[mine]]
