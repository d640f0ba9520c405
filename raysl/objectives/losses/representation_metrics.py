"""Metrics of a step's embeddings, over the global batch: whether they collapse, spread, and align.

Shapes: B videos of this rank, d embedding.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from raysl.distributed import all_gather
from raysl.objectives.losses.nt_xent import unit_rows


@torch.no_grad()
def representation_metrics(query: Tensor, key: Tensor) -> dict[str, Tensor]:
    """Metrics of the embeddings ``[B, d]`` of two views, each a float scalar and equal on every rank.

    - ``embedding_std``: standard deviation of the unit-length embeddings of both views, mean over dimensions, times
      sqrt(d): 0 when collapsed to one point, about 1 when spread over the sphere (SimSiam 4.1, Fig. 2).
    - ``alignment``: mean squared distance of the two views of a video, 0 to 4 (Wang and Isola 2020, Eq. 7, alpha 2).
    - ``uniformity``: log of the mean of exp(-2 squared distance) over pairs of different videos within a view, mean
      over the two views: 0 when collapsed, lower is more spread (Wang and Isola 2020, Eq. 8, t 2).
    """
    both = torch.stack([unit_rows(query), unit_rows(key)], dim=1)
    queries, keys = all_gather(both).unbind(dim=1)
    rows = torch.cat([queries, keys])
    return {
        "embedding_std": rows.std(dim=0, correction=0).mean() * math.sqrt(rows.shape[1]),
        "alignment": (queries - keys).square().sum(dim=1).mean(),
        "uniformity": (uniformity(queries) + uniformity(keys)) / 2,
    }


def uniformity(rows: Tensor) -> Tensor:
    """Log of the mean Gaussian potential over pairs of different rows, ``[N, d]`` of unit length and N at least 2."""
    squared_distances = (2 - 2 * rows @ rows.T).clamp(min=0)
    count = len(rows)
    # All but the diagonal, row by row: each is followed by `count` others. (A mask would wait for the device.)
    different = squared_distances.flatten()[:-1].view(count - 1, count + 1)[:, 1:].flatten()
    return (-2 * different).exp().mean().log()
