"""A network applied to a batch a few videos at a time."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor, nn

from raysl.models.grouped_batch_norm import grouping_of


def in_chunks(module: nn.Module, clips: Tensor, chunk: int | None) -> Tensor:
    """``module(clips)``, with at most ``chunk`` videos of this rank in the network at a time.

    Batch norms that `raysl.models.batch_norm.convert_batch_norm` gave groups keep them, and track their statistics as
    if all had passed at once. Without gradient the memory is that of one chunk.

    Args:
        module: maps ``[rows, ...]`` to ``[rows, ...]``.
        clips: ``[B, ...]``, or ``[V * B, ...]`` view-major, B this rank's videos where batch norms have groups.
        chunk: videos at a time; None: all of them.

    Raises:
        ValueError: a chunk does not hold whole batch-norm groups, or the rows are not those of B videos.
    """
    grouping = grouping_of(module)
    videos = len(clips) if grouping is None else grouping.share
    if chunk is None or chunk >= videos:
        whole: Tensor = module(clips)
        return whole
    if len(clips) % videos:
        raise ValueError(f"{len(clips)} rows are not the same number of views of each of {videos} videos")
    views = clips.reshape(-1, videos, *clips.shape[1:])
    results = []
    for first in range(0, videos, chunk):
        part = views[:, first : first + chunk]
        with nullcontext() if grouping is None else grouping.window(first, part.shape[1]):
            result: Tensor = module(torch.cat(part.unbind()))
        results.append(result.reshape(*part.shape[:2], *result.shape[1:]))
    return torch.cat(results, dim=1).flatten(0, 1)
