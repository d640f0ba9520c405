"""InfoNCE: one positive against K negatives, as a cross-entropy with the positive as the right class.

van den Oord et al. 2018, https://arxiv.org/abs/1807.03748, Eq. 4; with a queue, He et al. 2020 (MoCo),
https://arxiv.org/abs/1911.05722, Eq. 1: the mean over rows of ``-log exp(l_0) / sum_{k = 0..K} exp(l_k)``.

Shapes: B videos of this rank, d embedding, K negatives.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from raysl.objectives.losses.nt_xent import entropy_of, unit_rows


class InfoNCE(NamedTuple):
    """Over this rank's queries; the means over ranks are the values of the global batch.

    Attributes:
        loss: scalar.
        accuracy: scalar, share of queries nearer to their positive than to every negative.
        entropy: scalar in nats, mean over queries of `entropy_of`: of the positive among the negatives.
    """

    loss: Tensor
    accuracy: Tensor
    entropy: Tensor


def queue_logits(query: Tensor, key: Tensor, queue: Tensor, temperature: float) -> Tensor:
    """Cosines over the temperature, ``[B, 1 + K]``: of each query with its key, then with every column of the queue.

    Args:
        query: ``[B, d]`` float, of any length (normalised here), with gradient.
        key: ``[B, d]``, row i from the same video as ``query[i]``; gets no gradient.
        queue: ``[d, K]``, columns of length 1; gets no gradient.
        temperature: greater than 0.

    Raises:
        ValueError: shapes that do not fit, or a temperature that is not positive.
    """
    if query.shape != key.shape or query.ndim != 2 or queue.ndim != 2 or len(queue) != query.shape[1]:
        raise ValueError(
            f"query and key must be [B, d] and the queue [d, K], got {list(query.shape)}, {list(key.shape)} and "
            f"{list(queue.shape)}"
        )
    check_temperature(temperature)
    with torch.autocast(query.device.type, enabled=False):
        queries, keys = unit_rows(query), unit_rows(key.detach())
        positive = (queries * keys).sum(dim=1, keepdim=True)
        return torch.cat([positive, queries @ queue.detach().to(queries.dtype)], dim=1) / temperature


def info_nce(logits: Tensor) -> InfoNCE:
    """InfoNCE of ``[B, 1 + K]`` logits, the positive in column 0; computed in float32 or better."""
    with torch.autocast(logits.device.type, enabled=False):
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        right = torch.zeros(len(logits), dtype=torch.int64, device=logits.device)
        return InfoNCE(F.cross_entropy(logits, right), contrastive_accuracy(logits), entropy_of(logits))


@torch.no_grad()
def contrastive_accuracy(logits: Tensor) -> Tensor:
    """Share of rows of ``[B, 1 + K]`` whose column 0 is greater than all others: 0 where all are equal."""
    return (logits[:, 0] > logits[:, 1:].amax(dim=1)).to(logits.dtype).mean()


def check_temperature(temperature: float) -> None:
    """Raises ValueError where the temperature is not greater than 0."""
    if not temperature > 0:
        raise ValueError(f"temperature must be greater than 0, got {temperature}")
