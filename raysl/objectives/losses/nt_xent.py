"""NT-Xent: the normalised temperature-scaled cross-entropy of SimCLR, over the global batch.

Chen et al. 2020, "A Simple Framework for Contrastive Learning of Visual Representations", Eq. 1,
https://arxiv.org/abs/2002.05709. With two views of each of N videos there are 2N rows z; each row's positive is the
other view of the same video, and the loss is the mean over rows of
``-log exp(s(z_i, z_i+) / t) / sum_{k != i} exp(s(z_i, z_k) / t)``, s the cosine and t the temperature. The positive
stays in the denominator.

Shapes: B videos of this rank, N videos of all ranks, d embedding.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from raysl.distributed import all_gather, rank

Symmetric = Literal["mean", "sum", "one_way"]


class NTXent(NamedTuple):
    """Over this rank's anchors; the means over ranks are the values of the global batch.

    Attributes:
        loss: scalar.
        accuracy: scalar, share of anchors nearer to their positive than to every negative.
        entropy: scalar in nats, mean over anchors of `entropy_of`: of the positive among the negatives.
    """

    loss: Tensor
    accuracy: Tensor
    entropy: Tensor

    @property
    def metrics(self) -> dict[str, Tensor]:
        """As a term names them."""
        return {"contrastive_accuracy": self.accuracy, "contrastive_entropy": self.entropy}


def nt_xent(
    query: Tensor,
    key: Tensor,
    temperature: float,
    *,
    positive_in_denominator: bool = True,
    same_view_negatives: bool = True,
    symmetric: Symmetric = "mean",
    bank_negatives: Tensor | None = None,
) -> NTXent:
    """NT-Xent of this rank's anchors against the global batch, computed in float32 or better.

    Args:
        query: ``[B, d]`` float, of any length (normalised here), the same B on every rank.
        key: ``[B, d]``, row i from the same video as ``query[i]``.
        temperature: divides the cosines; greater than 0.
        positive_in_denominator: False is CSTP Eq. 1 as printed.
        same_view_negatives: False contrasts a query with keys only and a key with queries only.
        symmetric: ``mean`` over both directions (SimCLR), ``sum`` of them (CVRL's code), or ``one_way``: the queries
            are the only anchors (CVRL as printed; with ``same_view_negatives`` off, PyTorchVideo's SimCLR).
        bank_negatives: ``[K, d]`` of any length and without gradient, in every anchor's denominator (SSTL).

    Raises:
        ValueError: shapes differ, the temperature is not positive, or there is no second video to contrast with.
    """
    if query.shape != key.shape or query.ndim != 2:
        raise ValueError(f"query and key must both be [B, d], got {list(query.shape)} and {list(key.shape)}")
    if not temperature > 0:
        raise ValueError(f"temperature must be greater than 0, got {temperature}")
    with torch.autocast(query.device.type, enabled=False):
        queries, keys = unit_rows(query), unit_rows(key)
        # One collective for both views: rows [B, 2, d] of every rank.
        gathered = all_gather(torch.stack([queries, keys], dim=1))
        all_queries, all_keys = gathered.unbind(dim=1)
        if all_queries.shape[0] < 2:
            raise ValueError("NT-Xent needs at least two videos in the global batch: the others are the negatives")
        same_view = (all_queries, all_keys) if same_view_negatives else (None, None)
        bank = None if bank_negatives is None else unit_rows(bank_negatives.detach()).to(queries)
        forward = _direction(queries, all_keys, same_view[0], bank, temperature, positive_in_denominator)
        if symmetric == "one_way":
            return forward
        backward = _direction(keys, all_queries, same_view[1], bank, temperature, positive_in_denominator)
    loss = forward.loss + backward.loss
    accuracy, entropy = ((one + other) / 2 for one, other in zip(forward[1:], backward[1:], strict=True))
    return NTXent(loss / 2 if symmetric == "mean" else loss, accuracy, entropy)


@torch.no_grad()
def entropy_of(logits: Tensor) -> Tensor:
    """Mean entropy in nats, a scalar from 0 to log K, of the softmax of each row of ``[B, K]`` logits.

    What CVRL's Figure 5 draws; there of the N x N block between both views alone (code), here of all that a loss
    compares.
    """
    with torch.autocast(logits.device.type, enabled=False):
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        entropies: Tensor = torch.special.entr(logits.softmax(dim=1)).sum(dim=1)
        return entropies.mean()


def unit_rows(embeddings: Tensor) -> Tensor:
    """Rows of length 1, ``[..., d]``, in float32 (float64 stays)."""
    at_least = torch.promote_types(embeddings.dtype, torch.float32)
    return F.normalize(embeddings.to(at_least), dim=-1)


def _direction(
    anchors: Tensor,
    other_view: Tensor,
    same_view: Tensor | None,
    bank: Tensor | None,
    temperature: float,
    positive_in_denominator: bool,
) -> NTXent:
    """Anchors ``[B, d]`` against all rows ``[N, d]`` of the other view and, if given, of their own view and a bank."""
    rows = torch.arange(len(anchors), device=anchors.device)
    video = rows + rank() * len(anchors)
    logits = anchors @ other_view.T / temperature
    positive = logits[rows, video]
    negatives = logits.index_put((rows, video), logits.new_full((), -torch.inf))
    if same_view is not None:
        own = anchors @ same_view.T / temperature
        negatives = torch.cat([negatives, own.index_put((rows, video), own.new_full((), -torch.inf))], dim=1)
    if bank is not None:
        negatives = torch.cat([negatives, anchors @ bank.T / temperature], dim=1)
    denominator = torch.logsumexp(negatives, dim=1)
    if positive_in_denominator:
        denominator = torch.logaddexp(denominator, positive)
    accuracy = (positive > negatives.amax(dim=1)).to(logits.dtype).mean()
    entropy = entropy_of(torch.cat([positive[:, None], negatives], dim=1).detach())
    return NTXent((denominator - positive).mean(), accuracy.detach(), entropy)
