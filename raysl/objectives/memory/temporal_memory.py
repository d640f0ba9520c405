"""The temporal memory bank: a running embedding of each part of every training video (SSTL 3.3).

Cell l of L covers ((l - 1) / L, l / L) of a video; a clip's place is its centre as a share of the video. An update
moves the cells of the clip's video towards its embedding, ``entry <- normalise((1 - u) entry + u z)``, by a rate u that
`update_rates` gives.

Shapes: N videos of the bank, L cells, B videos of this rank, d embedding, K negatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from raysl.config.objective_sections import MemoryOptions
from raysl.distributed import all_gather
from raysl.objectives.losses.nt_xent import unit_rows
from raysl.objectives.memory.video_rows import VideoRows
from raysl.streams import Key, stream
from raysl.views.batch import on_device


class _Seen(NamedTuple):
    view: str
    video: Tensor
    center: Tensor
    embedding: Tensor


class TemporalMemory(nn.Module):
    """``entries`` ``[N, L, d]`` of length 1, in random directions at start (ours). Every rank holds and writes the
    same.

    Several terms may read it and show it what they saw; a step's embeddings of a view enter it once, after the step.

    Args:
        videos: catalog indices of the training videos, ascending.
        embedding_dim: d.
        options: cells and update rule.
    """

    entries: Tensor

    def __init__(self, videos: Sequence[int], embedding_dim: int, options: MemoryOptions) -> None:
        super().__init__()
        self.options = options
        self._rows = VideoRows(videos)
        self._seen: list[_Seen] = []
        self.register_buffer("entries", unit_rows(torch.randn(len(self._rows), options.cells, embedding_dim)))

    def video_features(self, videos: Tensor) -> Tensor:
        """Mean over a video's cells, ``[B]`` catalog indices to ``[B, d]``, shorter than 1 where the cells differ.

        Raises:
            DataError: a video has no row.
        """
        return self.entries[self._on_device(self._rows.of(videos))].mean(dim=1)

    def draw(self, videos: Tensor, negatives: int, *key: Key) -> Tensor:
        """Entries of any cell of videos outside the global batch, distinct, ``[K, d]``; the same on every rank.

        Collective.

        Args:
            videos: ``[B]`` catalog indices of this rank's part of the batch.
            key: of the draw.

        Raises:
            DataError: a video has no row.
        """
        inside = np.unique(self._rows.of_all_ranks(videos, self.entries.device))
        outside, cells = len(self._rows) - len(inside), self.options.cells
        drawn = stream(*key).choice(outside * cells, size=negatives, replace=False, shuffle=False)
        nth, cell = np.divmod(drawn, cells)
        # The nth row outside has nth rows outside before it and as many inside as this finds: no pass over all videos.
        rows = nth + np.searchsorted(inside - np.arange(len(inside)), nth, side="right")
        return self.entries[tuple(self._on_device(index) for index in (rows, cell))]

    def begin_step(self) -> None:
        """Forgets what a step that was not finished showed."""
        self._seen = []

    def observe(self, view: str, videos: Tensor, centers: Tensor, embeddings: Tensor) -> None:
        """Keeps what is to enter after the step; the same view of the same batch again changes nothing.

        Args:
            videos: ``[B]`` catalog indices. centers: ``[B]`` shares of the video. embeddings: ``[B, d]``.
        """
        if not any(seen.view == view and seen.video is videos for seen in self._seen):
            self._seen.append(_Seen(view, videos, centers, unit_rows(embeddings.detach())))

    @torch.no_grad()
    def commit(self) -> None:
        """Moves the entries, one view after the other, in the order in which they were observed. Collective."""
        for seen in self._seen:
            rows = self._on_device(self._rows.of_all_ranks(seen.video, self.entries.device))
            rates = update_rates(all_gather(seen.center), self.options)[:, :, None].to(self.entries)
            before = self.entries[rows]
            embeddings = all_gather(seen.embedding).to(before)[:, None].expand_as(before)
            moved = unit_rows(torch.lerp(before, embeddings, rates))
            self.entries[rows] = torch.where(rates > 0, moved, before)  # what is not moved is not rounded either
        self._seen = []

    def _on_device(self, rows: NDArray[np.int64]) -> Tensor:
        return on_device(torch.from_numpy(rows), self.entries.device)


def update_rates(centers: Tensor, options: MemoryOptions) -> Tensor:
    """The share u that a clip's embedding takes of each cell of its video, ``[B]`` to ``[B, L]``.

    The clip's own cell: ``1 - m``. Another cell, whose middle is a distance d (share of the video) away: nothing
    (``own_only``), ``(1 - d) c (1 - m)`` (``intended``), or ``1 - (1 - d) c m`` (``literal``, as printed: the farther
    away, the more it is moved, against the paper's own text).

    Args:
        centers: of the clips, shares of the video's length, 0 to 1.
    """
    cells = options.cells
    middles = (torch.arange(cells, device=centers.device, dtype=centers.dtype) + 0.5) / cells
    near = 1 - (middles - centers[:, None]).abs()
    own = (centers * cells).long().clamp(max=cells - 1)[:, None] == torch.arange(cells, device=centers.device)
    others = {
        "own_only": torch.zeros_like(near),
        "intended": near * options.attenuation * (1 - options.momentum),
        "literal": 1 - near * options.attenuation * options.momentum,
    }[options.update]
    return torch.where(own, 1 - options.momentum, others)
