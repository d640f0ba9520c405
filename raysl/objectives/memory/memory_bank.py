"""A memory bank: the running embedding of every training video. Wu et al. 2018, https://arxiv.org/abs/1805.01978.

Shapes: N videos of the bank, B of this rank, d embedding, K negatives.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from raysl.distributed import all_gather
from raysl.objectives.losses.nt_xent import unit_rows
from raysl.objectives.memory.video_rows import VideoRows
from raysl.streams import Key, stream
from raysl.views.batch import on_device


class MemoryBank(nn.Module):
    """``entries`` ``[N, d]``, uniform within 1 / sqrt(d / 3) at start, so of squared length 1 on average (code).

    Drawn from torch's global generator. Every rank holds and writes the same.

    Args:
        videos: catalog indices, ascending: row i is of ``videos[i]``.
        embedding_dim: d.
    """

    entries: Tensor

    def __init__(self, videos: Sequence[int], embedding_dim: int) -> None:
        super().__init__()
        self._rows = VideoRows(videos)
        bound = 1 / math.sqrt(embedding_dim / 3)
        self.register_buffer("entries", torch.empty(len(self._rows), embedding_dim).uniform_(-bound, bound))

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self, videos: Tensor) -> NDArray[np.int64]:
        """The rows of catalog indices, ``[B]`` to ``[B]``.

        Raises:
            DataError: a video has no row.
        """
        return self._rows.of(videos)

    def draw(self, videos: Tensor, negatives: int, *key: Key) -> Tensor:
        """Rows to contrast each video with, ``[B, 1 + K]``: its own, then K drawn uniformly with replacement.

        On the bank's device, which is not waited for.

        A video's draw depends on ``key`` and its index alone, so not on the rank that holds it. It may hit the video
        itself, as in the original code.

        Raises:
            DataError: a video has no row.
        """
        own = self.rows(videos)
        drawn = np.stack([stream(*key, video).integers(len(self), size=negatives) for video in videos.tolist()])
        return on_device(torch.from_numpy(np.column_stack([own, drawn])), self.entries.device)

    @torch.no_grad()
    def update(self, rows: Tensor, embeddings: Tensor, momentum: float) -> None:
        """``entry <- normalise(momentum * entry + (1 - momentum) * embedding)``, of all ranks' videos. Collective.

        ``momentum`` is the share of the old entry (lemniscate's convention; PySlowFast's is of the new one).

        Args:
            rows: ``[B]``, distinct over all ranks.
            embeddings: ``[B, d]`` of length 1.
        """
        rows, embeddings = all_gather(rows), all_gather(embeddings).to(self.entries.dtype)
        self.entries[rows] = unit_rows(self.entries[rows].lerp(embeddings, 1 - momentum))
